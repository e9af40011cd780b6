// A tool in Node: prints each event that its school lets it have. `node tool.mjs tool.creds nats://host:4222`
import { readFileSync } from "node:fs";
import { connect, credsAuthenticator, ErrorCode } from "nats";

const [creds, servers] = process.argv.slice(2);
const client = await connect({ servers, authenticator: credsAuthenticator(readFileSync(creds)) });
const stream = client.jetstream({ domain: "gate" });
for (;;) {
  try {
    const message = await stream.pull("OUT", "me", 5000); // waits five seconds for the next one
    const event = message.json();
    console.log(event.epoch, event.sequence, event.type, event.subject ?? "");
    message.ack(); // what is not acknowledged comes again
  } catch (error) {
    if (![ErrorCode.JetStream404NoMessages, ErrorCode.JetStream408RequestTimeout, ErrorCode.Timeout].includes(error.code)) throw error;
  }
}

"""Takes webhooks, and only signed ones: `python webhook_receiver.py 8080 whsec_...`. Put it behind https."""

import sys
from http.server import BaseHTTPRequestHandler, HTTPServer

from standardwebhooks import Webhook, WebhookVerificationError

SEEN: set[str] = set()
"""Keep this in your database: what came once may come again."""


class Hook(BaseHTTPRequestHandler):
    """Answers 204 when it has kept the event, 400 when it is not from the school."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        try:
            event = Webhook(sys.argv[2]).verify(body, dict(self.headers))
        except WebhookVerificationError:
            self.send_response(400)
        else:
            if self.headers["webhook-id"] not in SEEN:
                print(event["epoch"], event["sequence"], event["type"], event.get("subject", ""), flush=True)
                SEEN.add(self.headers["webhook-id"])
            self.send_response(204)
        self.end_headers()


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    HTTPServer(("127.0.0.1", int(sys.argv[1])), Hook).serve_forever()

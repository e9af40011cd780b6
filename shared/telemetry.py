"""Traces across NATS, metrics, and JSON logs. Nothing personal: codes, ids of ours, numbers."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from opentelemetry import trace
from opentelemetry.context import Context as OtelContext
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased, TraceIdRatioBased
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, SpanKind, Status, StatusCode, TraceFlags
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

log = logging.getLogger(__name__)

LOG_FIELDS = frozenset(
    {
        *("code", "kind", "endpoint", "school", "producer", "consumer", "epoch", "seq", "count", "seconds", "port"),
        *("reason", "line", "lines", "finding", "witness", "status", "seen", "root", "waits_s", "outcome", "tool"),
    }
)
"""The only extra fields that a log line may carry. Whatever else is passed stays out of the log."""

OURS = ("shared", "services", "deploy")
"""Loggers whose words are ours: constants. What a library says may quote an address."""

UNVERIFIED_LINES_PER_MINUTE = 60


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, service, logger, text, code, and the other fields of LOG_FIELDS.

    Exception texts are left out (they may quote a value); their type and place are kept.
    """

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "service": self._service,
            "logger": record.name,
            "text": record.msg if record.name.startswith(OURS) else "a library's word",
            "code": "library",
        }
        line |= {name: getattr(record, name) for name in LOG_FIELDS if hasattr(record, name)}
        if record.exc_info and record.exc_info[0]:
            line["error"] = record.exc_info[0].__name__
            line["frames"] = _frames(record)
        return json.dumps(line, default=str)


def _frames(record: logging.LogRecord) -> list[str]:
    frames = []
    place = record.exc_info[2] if record.exc_info else None
    while place is not None:
        code = place.tb_frame.f_code
        frames.append(f"{code.co_filename.rpartition('/')[2]}:{place.tb_lineno}:{code.co_name}")
        place = place.tb_next
    return frames[-8:]


def tell(code: str, text: str, **facts: object) -> None:
    """Writes an alarm's ERROR line, with the type and place of the exception that is being handled, if there is one.

    `facts` are among LOG_FIELDS. It is what Telemetry.alarm does, where there is no telemetry to count it.
    """
    log.error(text, exc_info=sys.exc_info()[0] is not None, extra={"code": code, **facts})


def log_to_stderr(service: str, level: str) -> None:
    """Makes every logger write JSON lines to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(service))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.getLogger("nats").setLevel(logging.WARNING)
    logging.getLogger("faststream").setLevel(logging.WARNING)


@dataclass(slots=True)
class RequestSpan:
    """A request's span; `traceparent` is what goes on into its events, None when nobody traces."""

    _span: Span | None
    traceparent: str | None

    def outcome(self, outcome: str) -> None:
        """Marks how the request ended."""
        if self._span is not None:
            self._span.set_attribute("samen.outcome", outcome)
            if outcome == "error":
                self._span.set_status(Status(StatusCode.ERROR))


class Telemetry:
    """A process's metrics registry and tracer. Only a door's sampling decision counts: there is no root span here."""

    def __init__(self, service: str, *, export: bool) -> None:
        self.registry = CollectorRegistry()
        self._provider = TracerProvider(
            sampler=ParentBased(root=ALWAYS_OFF), resource=Resource.create({"service.name": f"samenkracht-{service}"})
        )
        if export:
            self._provider.add_span_processor(_exporter())
        self._tracer = self._provider.get_tracer("samenkracht")
        self._requests = Histogram(
            "samen_request_seconds",
            "Requests by endpoint and outcome",
            ["endpoint", "outcome"],
            registry=self.registry,
            buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 4),
        )
        self.refused = Counter("samen_refused", "Requests not worked on", ["reason"], registry=self.registry)
        self.lag = Gauge(
            "samen_lag_events", "Events behind the producer", ["producer", "school"], registry=self.registry
        )
        self.published = Counter("samen_published", "Events acknowledged by the broker", registry=self.registry)
        self.applied = Counter("samen_applied", "Events applied", ["producer"], registry=self.registry)
        self.alarms = Counter("samen_alarms", "Alarms by code", ["code"], registry=self.registry)
        self._unverified_since = 0.0
        self._unverified_count = 0

    @contextmanager
    def request(self, endpoint: str, traceparent: str | None) -> Iterator[RequestSpan]:
        """Runs a request under a span, when the door that sent it traces."""
        parent = _parent(traceparent)
        if parent is None or not parent.trace_flags.sampled:
            yield RequestSpan(None, traceparent)
            return
        context = trace.set_span_in_context(NonRecordingSpan(parent))
        with self._tracer.start_as_current_span(endpoint, context, SpanKind.SERVER, record_exception=False) as span:
            yield RequestSpan(span, _text(span.get_span_context()))

    @contextmanager
    def batch(self, name: str, producer: str, school: str, count: int, traceparents: list[str]) -> Iterator[None]:
        """Runs a batch of events under one span that links to the traces of the events in it."""
        links = [trace.Link(c) for text in traceparents[:16] if (c := _parent(text)) and c.trace_flags.sampled]
        if not links:
            yield
            return
        context = trace.set_span_in_context(NonRecordingSpan(links[0].context))
        with self._tracer.start_as_current_span(
            name, context, SpanKind.CONSUMER, links=links, record_exception=False
        ) as span:
            span.set_attributes({"samen.producer": producer, "samen.school": school, "samen.events": count})
            yield

    def answered(self, endpoint: str, outcome: str, seconds: float) -> None:
        """Counts an answered request."""
        self._requests.labels(endpoint, outcome).observe(seconds)

    def unverified(self, endpoint: str, reason: str) -> None:
        """Notes a request whose token proved nothing: counted always, logged at most once a second on average."""
        self.refused.labels("unverified").inc()
        now = datetime.now(UTC).timestamp()
        if now - self._unverified_since > 60:
            self._unverified_since, self._unverified_count = now, 0
        self._unverified_count += 1
        if self._unverified_count <= UNVERIFIED_LINES_PER_MINUTE:
            log.warning("unverified request", extra={"code": "unverified", "endpoint": endpoint, "reason": reason})

    def alarm(self, code: str, text: str, **facts: object) -> None:
        """Raises an alarm: a metric and an ERROR line with a stable code that the runbook explains; see `tell`."""
        self.alarms.labels(code).inc()
        tell(code, text, **facts)

    def close(self) -> None:
        """Sends what spans are left."""
        self._provider.shutdown()


class DoorTracer:
    """Traces what a door sends on. Its sampling decision is the only one that counts, so it samples `ratio` of all."""

    def __init__(self, door: str, ratio: float, *, export: bool) -> None:
        self._provider = TracerProvider(
            sampler=TraceIdRatioBased(ratio if export else 0),
            resource=Resource.create({"service.name": f"samenkracht-{door}"}),
        )
        if export:
            self._provider.add_span_processor(_exporter())
        self._tracer = self._provider.get_tracer("samenkracht")

    @contextmanager
    def request(self, name: str) -> Iterator[str]:
        """Runs a request under a new root span; yields the `traceparent` to send along."""
        with self._tracer.start_as_current_span(
            name, OtelContext(), SpanKind.CLIENT, record_exception=False, set_status_on_exception=False
        ) as span:
            yield _text(span.get_span_context())

    def close(self) -> None:
        """Sends what spans are left."""
        self._provider.shutdown()


def _exporter() -> BatchSpanProcessor:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # its import takes long

    return BatchSpanProcessor(OTLPSpanExporter())


def _parent(traceparent: str | None) -> SpanContext | None:
    if not traceparent:
        return None
    try:
        _, trace_id, span_id, flags = traceparent.split("-")
        return SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=TraceFlags(int(flags, 16)))
    except ValueError:
        return None


def _text(context: SpanContext) -> str:
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"

/**
 * The part of the OTLP schema that the bench's bodies need, as protobufjs types.
 *
 * In: nothing. Out: two message types that turn OTLP/JSON-shaped objects into protobuf bytes. Used before
 * measuring only, so reflection's cost does not matter.
 * Source: opentelemetry-proto 1.11, {common,resource,logs,trace}/v1 and collector/{logs,trace}/v1.
 */
import protobuf from 'protobufjs'

const PROTO = `
syntax = "proto3";
message AnyValue { oneof value { string string_value = 1; bool bool_value = 2; int64 int_value = 3; double double_value = 4; } }
message KeyValue { string key = 1; AnyValue value = 2; }
message Scope { string name = 1; string version = 2; repeated KeyValue attributes = 3; }
message Resource { repeated KeyValue attributes = 1; }
message LogRecord {
  fixed64 time_unix_nano = 1; int32 severity_number = 2; string severity_text = 3; AnyValue body = 5;
  repeated KeyValue attributes = 6; fixed32 flags = 8; bytes trace_id = 9; bytes span_id = 10;
  fixed64 observed_time_unix_nano = 11; string event_name = 12;
}
message ScopeLogs { Scope scope = 1; repeated LogRecord log_records = 2; }
message ResourceLogs { Resource resource = 1; repeated ScopeLogs scope_logs = 2; }
message ExportLogsServiceRequest { repeated ResourceLogs resource_logs = 1; }
message Event { fixed64 time_unix_nano = 1; string name = 2; repeated KeyValue attributes = 3; }
message Status { string message = 2; int32 code = 3; }
message Span {
  bytes trace_id = 1; bytes span_id = 2; string trace_state = 3; bytes parent_span_id = 4; string name = 5; int32 kind = 6;
  fixed64 start_time_unix_nano = 7; fixed64 end_time_unix_nano = 8; repeated KeyValue attributes = 9;
  repeated Event events = 11; Status status = 15; fixed32 flags = 16;
}
message ScopeSpans { Scope scope = 1; repeated Span spans = 2; }
message ResourceSpans { Resource resource = 1; repeated ScopeSpans scope_spans = 2; }
message ExportTraceServiceRequest { repeated ResourceSpans resource_spans = 1; }
`

const REQUEST_MESSAGES = { logs: 'ExportLogsServiceRequest', traces: 'ExportTraceServiceRequest' } as const
const ID_KEYS: ReadonlySet<string> = new Set(['traceId', 'spanId', 'parentSpanId'])

const root = protobuf.parse(PROTO).root

/** Encodes an OTLP/JSON request (hex ids, 64-bit integers as strings) as protobuf. */
export function encodeRequest(signal: 'logs' | 'traces', json: string): Buffer {
  const message = root.lookupType(REQUEST_MESSAGES[signal])
  const object: Record<string, unknown> = JSON.parse(json, (key, value: unknown) =>
    ID_KEYS.has(key) && typeof value === 'string' ? Buffer.from(value, 'hex') : value,
  )
  return Buffer.from(message.encode(message.fromObject(object)).finish())
}

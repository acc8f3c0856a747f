/**
 * The field table of OTLP by message: numbers, JSON names and kinds. Data only.
 *
 * Messages have their short names (`LogRecord`, `Span.Event`); fields stand in the order of their numbers.
 * Source: opentelemetry-proto 1.11: common, resource, logs, trace, metrics and collector, v1. A test
 * compares every field with the oracle's own .proto text.
 */

export type Kind =
  | 'string'
  | 'bytes'
  /** Bytes that OTLP/JSON writes as hex: trace and span ids. */
  | 'hexId'
  | 'bool'
  | 'int32'
  | 'uint32'
  | 'sint32'
  | 'int64'
  | 'uint64'
  | 'fixed32'
  | 'fixed64'
  | 'sfixed64'
  | 'double'
  | 'enum'
  | 'message'

/** How the kind is laid out when it is not packed: the last three bits of a tag. */
export const WIRE_TYPES: Readonly<Record<Kind, number>> = {
  string: 2,
  bytes: 2,
  hexId: 2,
  message: 2,
  bool: 0,
  int32: 0,
  uint32: 0,
  sint32: 0,
  int64: 0,
  uint64: 0,
  enum: 0,
  fixed32: 5,
  fixed64: 1,
  sfixed64: 1,
  double: 1,
}

export interface Field {
  readonly number: number
  /** The JSON name, lowerCamelCase. */
  readonly name: string
  readonly kind: Kind
  readonly repeated: boolean
  /** Repeated numbers are written packed; readers take both. */
  readonly packed: boolean
  /** A scalar that can be present and zero: a member of a oneof, or `optional`. */
  readonly presence: boolean
  /** Name of the oneof that the field is a member of. A message of OTLP has at most one. */
  readonly oneof: string | undefined
  /** Name of the message, for kind `message`. */
  readonly message: string | undefined
}

type Maker = (number: number, name: string) => Field

const plain = { repeated: false, packed: false, presence: false, oneof: undefined, message: undefined }

function scalar(kind: Kind): Maker {
  return (number, name) => ({ ...plain, number, name, kind })
}
function message(name: string): Maker {
  return (number, fieldName) => ({ ...plain, number, name: fieldName, kind: 'message', message: name })
}
function list(maker: Maker): Maker {
  return (number, name) => {
    const field = maker(number, name)
    const packed = field.kind !== 'string' && field.kind !== 'message'
    return { ...field, repeated: true, packed }
  }
}
function optional(maker: Maker): Maker {
  return (number, name) => ({ ...maker(number, name), presence: true })
}
function oneof(oneofName: string, maker: Maker): Maker {
  return (number, name) => ({ ...maker(number, name), presence: true, oneof: oneofName })
}

const string = scalar('string')
const bool = scalar('bool')
const hexId = scalar('hexId')
const int32 = scalar('int32')
const int64 = scalar('int64')
const sint32 = scalar('sint32')
const uint32 = scalar('uint32')
const fixed32 = scalar('fixed32')
const fixed64 = scalar('fixed64')
const sfixed64 = scalar('sfixed64')
const double = scalar('double')
const enumeration = scalar('enum')
const keyValues = list(message('KeyValue'))
const exemplars = list(message('Exemplar'))

export const MESSAGES: Readonly<Record<string, readonly Field[]>> = {
  ExportLogsServiceRequest: [list(message('ResourceLogs'))(1, 'resourceLogs')],
  ExportLogsServiceResponse: [message('ExportLogsPartialSuccess')(1, 'partialSuccess')],
  ExportLogsPartialSuccess: [int64(1, 'rejectedLogRecords'), string(2, 'errorMessage')],
  ExportTraceServiceRequest: [list(message('ResourceSpans'))(1, 'resourceSpans')],
  ExportTraceServiceResponse: [message('ExportTracePartialSuccess')(1, 'partialSuccess')],
  ExportTracePartialSuccess: [int64(1, 'rejectedSpans'), string(2, 'errorMessage')],
  ExportMetricsServiceRequest: [list(message('ResourceMetrics'))(1, 'resourceMetrics')],
  ExportMetricsServiceResponse: [message('ExportMetricsPartialSuccess')(1, 'partialSuccess')],
  ExportMetricsPartialSuccess: [int64(1, 'rejectedDataPoints'), string(2, 'errorMessage')],

  AnyValue: [
    oneof('value', string)(1, 'stringValue'),
    oneof('value', bool)(2, 'boolValue'),
    oneof('value', int64)(3, 'intValue'),
    oneof('value', double)(4, 'doubleValue'),
    oneof('value', message('ArrayValue'))(5, 'arrayValue'),
    oneof('value', message('KeyValueList'))(6, 'kvlistValue'),
    oneof('value', scalar('bytes'))(7, 'bytesValue'),
    oneof('value', int32)(8, 'stringValueStrindex'),
  ],
  ArrayValue: [list(message('AnyValue'))(1, 'values')],
  KeyValueList: [keyValues(1, 'values')],
  KeyValue: [string(1, 'key'), message('AnyValue')(2, 'value'), int32(3, 'keyStrindex')],
  InstrumentationScope: [
    string(1, 'name'),
    string(2, 'version'),
    keyValues(3, 'attributes'),
    uint32(4, 'droppedAttributesCount'),
  ],
  Resource: [
    keyValues(1, 'attributes'),
    uint32(2, 'droppedAttributesCount'),
    list(message('EntityRef'))(3, 'entityRefs'),
  ],
  EntityRef: [
    string(1, 'schemaUrl'),
    string(2, 'type'),
    list(string)(3, 'idKeys'),
    list(string)(4, 'descriptionKeys'),
  ],

  ResourceLogs: [
    message('Resource')(1, 'resource'),
    list(message('ScopeLogs'))(2, 'scopeLogs'),
    string(3, 'schemaUrl'),
  ],
  ScopeLogs: [
    message('InstrumentationScope')(1, 'scope'),
    list(message('LogRecord'))(2, 'logRecords'),
    string(3, 'schemaUrl'),
  ],
  LogRecord: [
    fixed64(1, 'timeUnixNano'),
    enumeration(2, 'severityNumber'),
    string(3, 'severityText'),
    message('AnyValue')(5, 'body'),
    keyValues(6, 'attributes'),
    uint32(7, 'droppedAttributesCount'),
    fixed32(8, 'flags'),
    hexId(9, 'traceId'),
    hexId(10, 'spanId'),
    fixed64(11, 'observedTimeUnixNano'),
    string(12, 'eventName'),
  ],

  ResourceSpans: [
    message('Resource')(1, 'resource'),
    list(message('ScopeSpans'))(2, 'scopeSpans'),
    string(3, 'schemaUrl'),
  ],
  ScopeSpans: [
    message('InstrumentationScope')(1, 'scope'),
    list(message('Span'))(2, 'spans'),
    string(3, 'schemaUrl'),
  ],
  Span: [
    hexId(1, 'traceId'),
    hexId(2, 'spanId'),
    string(3, 'traceState'),
    hexId(4, 'parentSpanId'),
    string(5, 'name'),
    enumeration(6, 'kind'),
    fixed64(7, 'startTimeUnixNano'),
    fixed64(8, 'endTimeUnixNano'),
    keyValues(9, 'attributes'),
    uint32(10, 'droppedAttributesCount'),
    list(message('Span.Event'))(11, 'events'),
    uint32(12, 'droppedEventsCount'),
    list(message('Span.Link'))(13, 'links'),
    uint32(14, 'droppedLinksCount'),
    message('Status')(15, 'status'),
    fixed32(16, 'flags'),
  ],
  'Span.Event': [
    fixed64(1, 'timeUnixNano'),
    string(2, 'name'),
    keyValues(3, 'attributes'),
    uint32(4, 'droppedAttributesCount'),
  ],
  'Span.Link': [
    hexId(1, 'traceId'),
    hexId(2, 'spanId'),
    string(3, 'traceState'),
    keyValues(4, 'attributes'),
    uint32(5, 'droppedAttributesCount'),
    fixed32(6, 'flags'),
  ],
  Status: [string(2, 'message'), enumeration(3, 'code')],

  ResourceMetrics: [
    message('Resource')(1, 'resource'),
    list(message('ScopeMetrics'))(2, 'scopeMetrics'),
    string(3, 'schemaUrl'),
  ],
  ScopeMetrics: [
    message('InstrumentationScope')(1, 'scope'),
    list(message('Metric'))(2, 'metrics'),
    string(3, 'schemaUrl'),
  ],
  Metric: [
    string(1, 'name'),
    string(2, 'description'),
    string(3, 'unit'),
    oneof('data', message('Gauge'))(5, 'gauge'),
    oneof('data', message('Sum'))(7, 'sum'),
    oneof('data', message('Histogram'))(9, 'histogram'),
    oneof('data', message('ExponentialHistogram'))(10, 'exponentialHistogram'),
    oneof('data', message('Summary'))(11, 'summary'),
    keyValues(12, 'metadata'),
  ],
  Gauge: [list(message('NumberDataPoint'))(1, 'dataPoints')],
  Sum: [
    list(message('NumberDataPoint'))(1, 'dataPoints'),
    enumeration(2, 'aggregationTemporality'),
    bool(3, 'isMonotonic'),
  ],
  Histogram: [list(message('HistogramDataPoint'))(1, 'dataPoints'), enumeration(2, 'aggregationTemporality')],
  ExponentialHistogram: [
    list(message('ExponentialHistogramDataPoint'))(1, 'dataPoints'),
    enumeration(2, 'aggregationTemporality'),
  ],
  Summary: [list(message('SummaryDataPoint'))(1, 'dataPoints')],
  NumberDataPoint: [
    fixed64(2, 'startTimeUnixNano'),
    fixed64(3, 'timeUnixNano'),
    oneof('value', double)(4, 'asDouble'),
    exemplars(5, 'exemplars'),
    oneof('value', sfixed64)(6, 'asInt'),
    keyValues(7, 'attributes'),
    uint32(8, 'flags'),
  ],
  HistogramDataPoint: [
    fixed64(2, 'startTimeUnixNano'),
    fixed64(3, 'timeUnixNano'),
    fixed64(4, 'count'),
    optional(double)(5, 'sum'),
    list(fixed64)(6, 'bucketCounts'),
    list(double)(7, 'explicitBounds'),
    exemplars(8, 'exemplars'),
    keyValues(9, 'attributes'),
    uint32(10, 'flags'),
    optional(double)(11, 'min'),
    optional(double)(12, 'max'),
  ],
  ExponentialHistogramDataPoint: [
    keyValues(1, 'attributes'),
    fixed64(2, 'startTimeUnixNano'),
    fixed64(3, 'timeUnixNano'),
    fixed64(4, 'count'),
    optional(double)(5, 'sum'),
    sint32(6, 'scale'),
    fixed64(7, 'zeroCount'),
    message('ExponentialHistogramDataPoint.Buckets')(8, 'positive'),
    message('ExponentialHistogramDataPoint.Buckets')(9, 'negative'),
    uint32(10, 'flags'),
    exemplars(11, 'exemplars'),
    optional(double)(12, 'min'),
    optional(double)(13, 'max'),
    double(14, 'zeroThreshold'),
  ],
  'ExponentialHistogramDataPoint.Buckets': [sint32(1, 'offset'), list(scalar('uint64'))(2, 'bucketCounts')],
  SummaryDataPoint: [
    fixed64(2, 'startTimeUnixNano'),
    fixed64(3, 'timeUnixNano'),
    fixed64(4, 'count'),
    double(5, 'sum'),
    list(message('SummaryDataPoint.ValueAtQuantile'))(6, 'quantileValues'),
    keyValues(7, 'attributes'),
    uint32(8, 'flags'),
  ],
  'SummaryDataPoint.ValueAtQuantile': [double(1, 'quantile'), double(2, 'value')],
  Exemplar: [
    fixed64(2, 'timeUnixNano'),
    oneof('value', double)(3, 'asDouble'),
    hexId(4, 'spanId'),
    hexId(5, 'traceId'),
    oneof('value', sfixed64)(6, 'asInt'),
    keyValues(7, 'filteredAttributes'),
  ],

  'google.rpc.Status': [int32(1, 'code'), string(2, 'message')],
}

// biome-ignore-all lint/suspicious/noTemplateCurlyInString: a remedy shows a reference
/**
 * Words that a user of the OpenTelemetry Collector writes and that have no place here, each with what to
 * write instead. Asked by `check.ts` before it says that a key is unknown.
 *
 * Source: keys of the Collector's core components as of v0.159.
 */

interface CollectorWord {
  /** Path of the map, `*` for any key. */
  readonly parent: string
  readonly word: RegExp
  readonly remedy: string
}

const HTTP = 'receivers.otlp.protocols.http'
const QUEUE = 'exporters.*.sending_queue'

const WORDS: readonly CollectorWord[] = [
  {
    parent: '',
    word: /^service$/,
    remedy:
      'there are no pipelines to wire: write under `lanes` what each accepts and its `exporters`; `service.telemetry` is `telemetry`',
  },
  {
    parent: '',
    word: /^pipelines$/,
    remedy: 'a pipeline is a lane here: write `lanes: { log: { exporters: [otlp_http/logs] } }`',
  },
  {
    parent: '',
    word: /^processors$/,
    remedy:
      'there are no processors: routing is `policy` and `lanes.<lane>.accept`, attributes are `lanes.<lane>.fields`, batches are `exporters.<exporter>.sending_queue.batch`',
  },
  {
    parent: '',
    word: /^connectors$/,
    remedy: 'there are no connectors: what goes where is `lanes.<lane>.accept`',
  },
  {
    parent: '',
    word: /^extensions$/,
    remedy:
      'there are no extensions: health is `admin.health_endpoint`, the store is `storage`, a bearer token is a header of the exporter',
  },
  { parent: '', word: /^receiver$/, remedy: 'write `receivers`' },
  { parent: '', word: /^(reviews|rehome|families|namespace|preset)$/, remedy: 'it belongs under `policy`' },
  { parent: 'receivers', word: /^.*$/, remedy: 'there is one receiver: `otlp`' },
  {
    parent: 'receivers.otlp.protocols',
    word: /^grpc$/,
    remedy: 'gRPC is not spoken: write `http`, and let the sender export `http/protobuf` to port 4318',
  },
  {
    parent: HTTP,
    word: /^(tls|auth|include_metadata|middlewares)$/,
    remedy: 'the receiver is for loopback and has no such setting; leave it out',
  },
  {
    parent: HTTP,
    word: /^(traces|metrics|logs|profiles)_url_path$/,
    remedy: 'the paths are those of OTLP: /v1/logs, /v1/traces, /v1/metrics, and / for all; leave it out',
  },
  {
    parent: HTTP,
    word: /^(read_timeout|read_header_timeout|write_timeout|idle_timeout|keep_alives_enabled|compression_algorithms)$/,
    remedy: 'it is fixed here; leave it out',
  },
  {
    parent: 'exporters',
    word: /^otlp(_?grpc)?(\/.*)?$/,
    remedy: 'OTLP over gRPC is not spoken: write `otlp_http` with an http:// or https:// endpoint',
  },
  { parent: 'exporters', word: /^(logging|nop)(\/.*)?$/, remedy: 'write `debug`' },
  {
    parent: 'exporters.*',
    word: /^auth$/,
    remedy: 'write `headers: { authorization: "Bearer ${file:/path}" }`',
  },
  {
    parent: 'exporters.*',
    word: /^(batch|batcher)$/,
    remedy: 'it belongs under `sending_queue`, as `batch`',
  },
  {
    parent: 'exporters.*',
    word: /^(queue_size|num_consumers|on_full|storage|wait_for_result)$/,
    remedy: 'it belongs under `sending_queue`',
  },
  {
    parent: 'exporters.*',
    word: /^(max_interval|initial_interval|max_elapsed_time)$/,
    remedy: 'it belongs under `retry_on_failure`',
  },
  {
    parent: 'exporters.*',
    word: /^(ca_file|cert_file|key_file|insecure_skip_verify)$/,
    remedy: 'it belongs under `tls`',
  },
  {
    parent: 'exporters.*',
    word: /^format$/,
    remedy: 'a file holds OTLP/JSON, one request a line; leave it out',
  },
  { parent: 'exporters.*', word: /^verbosity$/, remedy: 'debug writes counts only; leave it out' },
  {
    parent: 'exporters.*',
    word: /^(proxy_url|max_idle_conns|max_idle_conns_per_host|max_conns_per_host|idle_conn_timeout|disable_keep_alives|read_buffer_size|write_buffer_size)$/,
    remedy: 'connections are kept as `num_consumers` needs them; leave it out',
  },
  { parent: 'exporters.*.tls', word: /^insecure$/, remedy: 'write `http://` or `https://` in the endpoint' },
  { parent: 'exporters.*.tls', word: /_pem$/, remedy: 'write the file: `ca_file`, `cert_file`, `key_file`' },
  {
    parent: 'exporters.*.rotation',
    word: /^(max_days|localtime)$/,
    remedy: 'files are rotated by size: `max_megabytes` and `max_backups`',
  },
  { parent: QUEUE, word: /^enabled$/, remedy: 'there is always a queue; leave it out' },
  {
    parent: QUEUE,
    word: /^(sizer|max_batch_size)$/,
    remedy: 'queues and batches are measured in bytes: write `queue_size: 64MiB`',
  },
  { parent: QUEUE, word: /^block_on_overflow$/, remedy: 'write `on_full: refuse`' },
  {
    parent: `${QUEUE}.batch`,
    word: /^(sizer|partition)$/,
    remedy: 'batches are measured in bytes: write `min_size: 1MiB`',
  },
  { parent: `${QUEUE}.batch`, word: /^(timeout)$/, remedy: 'write `flush_timeout`' },
  {
    parent: `${QUEUE}.batch`,
    word: /^(send_batch_size|send_batch_max_size)$/,
    remedy: 'write `min_size` and `max_size`, in bytes',
  },
  {
    parent: 'telemetry',
    word: /^(traces|resource)$/,
    remedy: 'Laneway tells of itself by log and metrics only; leave it out',
  },
]

/** What to write instead of `key` in the map at `path`; undefined if the key is no such word. */
export function collectorRemedy(path: readonly string[], key: string): string | undefined {
  const found = WORDS.find(({ parent, word }) => word.test(key) && matches(parent, path))
  return found?.remedy
}

function matches(parent: string, path: readonly string[]): boolean {
  const parts = parent === '' ? [] : parent.split('.')
  return parts.length === path.length && parts.every((part, index) => part === '*' || part === path[index])
}

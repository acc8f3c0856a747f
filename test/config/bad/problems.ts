// biome-ignore-all lint/suspicious/noTemplateCurlyInString: messages show the syntax of references
/** Every problem of each file in this folder, as `line:column: key: message`. A file is named for its sin. */
export const PROBLEMS: Readonly<Record<string, readonly string[]>> = {
  'a-list-at-the-top': [
    '1:1: the file is not a map of keys; the smallest configuration has `exporters` and `lanes`',
  ],
  'admin-in-the-open': [
    '1:20: admin.endpoint: is not loopback, and the admin port shows what passes: give `admin.token`, or write `127.0.0.1:13133` and open only `health_endpoint`',
  ],
  'alias-bomb': ['1:1: aliases unfold to more than 50000 values; write them out'],
  'alias-of-itself': ['1:1: nested more than 64 deep (does an alias hold itself?)'],
  'bare-number-for-a-size': [
    '5:19: exporters.otlp_http/logs.sending_queue.queue_size: a bare number has no unit, and sizes are bytes only: write 1000B, or for example 4MiB',
    '6:26: exporters.otlp_http/logs.sending_queue.batch.max_size: a bare number has no unit, and sizes are bytes only: write 4MiB',
    '6:50: exporters.otlp_http/logs.sending_queue.batch.flush_timeout: a bare number has no unit; write a duration with its unit, such as `30s`',
  ],
  'certificate-without-key': [
    '4:23: exporters.otlp_http/logs.tls.cert_file: stands alone; a certificate and its key go together: write `key_file` too',
  ],
  'collector-words': [
    '1:35: receivers.otlp.protocols.grpc: has no place here: gRPC is not spoken: write `http`, and let the sender export `http/protobuf` to port 4318',
    '2:1: processors: has no place here: there are no processors: routing is `policy` and `lanes.<lane>.accept`, attributes are `lanes.<lane>.fields`, batches are `exporters.<exporter>.sending_queue.batch`',
    '3:1: extensions: has no place here: there are no extensions: health is `admin.health_endpoint`, the store is `storage`, a bearer token is a header of the exporter',
    '4:1: connectors: has no place here: there are no connectors: what goes where is `lanes.<lane>.accept`',
    '5:1: service: has no place here: there are no pipelines to wire: write under `lanes` what each accepts and its `exporters`; `service.telemetry` is `telemetry`',
    '6:1: pipelines: has no place here: a pipeline is a lane here: write `lanes: { log: { exporters: [otlp_http/logs] } }`',
    '8:3: exporters.otlp/logs: has no place here: OTLP over gRPC is not spoken: write `otlp_http` with an http:// or https:// endpoint',
    '11:12: exporters.otlp_http/logs.tls.insecure: has no place here: write `http://` or `https://` in the endpoint',
    '12:22: exporters.otlp_http/logs.sending_queue.enabled: has no place here: there is always a queue; leave it out',
    '12:37: exporters.otlp_http/logs.sending_queue.sizer: has no place here: queues and batches are measured in bytes: write `queue_size: 64MiB`',
  ],
  'duplicate-key': ['4:3: not YAML: this key was given before in the same map; keep one of them'],
  empty: ['1:1: the file is empty; the smallest configuration has `exporters` and `lanes`'],
  'endpoint-without-scheme': [
    '2:28: exporters.otlp_http/a.endpoint: has no scheme; write http:// or https:// before the host',
    '3:33: exporters.otlp_http/b.logs_endpoint: has a scheme that is not spoken here; write http:// or https://',
  ],
  'exporter-that-is-not-there': [
    '4:22: lanes.log.exporters: there is no exporter `otlp_htp/logs`, did you mean `otlp_http/logs`?',
  ],
  'lane-without-signal': [
    '3:3: lanes.logs: has no signal, and no preset gives it one; write `signal: logs`, traces or metrics (the preset codex has lane `log`)',
  ],
  'min-over-max': [
    '4:41: exporters.otlp_http/logs.sending_queue.batch.min_size: is larger than max_size; write min_size ≤ max_size',
    '5:43: exporters.otlp_http/logs.retry_on_failure.initial_interval: is longer than max_interval; write initial_interval ≤ max_interval',
  ],
  'no-url-for-the-signal': [
    '4:24: lanes.trace.exporters: exporter `otlp_http/logs` has no URL for traces; give it `endpoint` or `traces_endpoint`',
  ],
  'not-enforced-yet': ['3:22: admin.tap_values: not enforced yet: `laneway tap`; write `tap_values: false`'],
  'not-utf-8': ['1:1: is not UTF-8; save it as UTF-8'],
  'only-comments': ['1:1: the file is empty; the smallest configuration has `exporters` and `lanes`'],
  'queues-over-storage': [
    '3:41: exporters.debug.sending_queue.queue_size: the queues together are larger than three quarters of storage.max_size (the rest is for quarantine and dead letters); write smaller queues or a larger storage.max_size',
  ],
  'redacted-copy': [
    '4:31: exporters.otlp_http/logs.headers.authorization: holds `[REDACTED]`, as print-config writes it for a secret; put the secret back, best as `${file:/path}`',
  ],
  'reference-in-braces': [
    '2:32: not YAML: this cannot stand here; inside `{ }` or `[ ]`, a `${…}` must be in quotes',
  ],
  'same-exporter-twice': [
    '3:3: exporters.otlphttp/logs: is exporter `otlp_http/logs` a second time: otlphttp is another spelling of otlp_http; give one another name',
    '5:38: lanes.log.exporters: names exporter `otlp_http/logs` twice: each item would arrive twice; keep one',
  ],
  'short-hash-key': ['4:11: hash_key: is shorter than 32 bytes; make one with `openssl rand -hex 32`'],
  'preset-that-is-not-there': [
    '1:19: policy.preset: `codex-strickt` must be one of codex, codex-strict, none, did you mean `codex-strict`?',
  ],
  'tab-for-indentation': ['2:1: not YAML: a tab cannot indent; use spaces'],
  'two-documents': [
    '2:1: a second document (`---`); write one document a file, and give several files with --config',
  ],
  'two-kinds-in-an-accept-line': [
    '4:14: lanes.trace.accept.0: holds 2 keys, and only one of `events`, `spans`, `points`, `except` can stand in one line; write a line for each',
    '4:47: lanes.trace.accept.1: is an empty map; write one of `events`, `spans`, `points`, `except`',
  ],
  'two-listeners-on-one-address': [
    '2:20: admin.endpoint: listens on the same address as receivers.otlp.protocols.http.endpoint; give it a port of its own',
  ],
  'unknown-family-in-a-field-rule': [
    '6:19: lanes.log.fields: there is no family `log_onyl`, did you mean `log_only`?',
    '7:37: lanes.log.fields: there is no family of that name; there are log_only, trace_safe, network_proxy, dependency, unreviewed, ambiguous, foreign',
  ],
  'two-verbs-in-a-field-rule': [
    '6:9: lanes.log.fields: has 2 verbs (remove, hash); a line has one of keep, remove, only, hash, truncate',
    '7:9: lanes.log.fields: has no verb; a line has one of keep, remove, only, hash, truncate',
    '8:20: lanes.log.fields: is no text that a rule can name, did you mean `@status.message`?',
    '9:9: lanes.log.fields: `truncate` needs `to`: how many bytes stay, such as `to: 256B`',
    '10:26: lanes.log.fields: `to` belongs to `truncate`, not to `keep`; leave it out',
    '11:39: lanes.log.fields: a resource or scope is shared by items of many families and names; leave the filter out',
  ],
  'unknown-family': [
    '4:35: lanes.log.accept: there is no family `log_onyl`, did you mean `log_only`? Write a family of policy.families, a target such as `codex_otel.name`, `*`, `foreign` or `any`',
  ],
  'unknown-key': ['2:56: exporters.otlp_http/logs.compresion: unknown key, did you mean `compression`?'],
  'unknown-signal': [
    '3:18: lanes.log.signal: `log` must be one of logs, traces, metrics, did you mean `logs`?',
  ],
  'unset-environment': [
    '3:15: exporters.otlp_http/logs.endpoint: environment variable LANEWAY_TEST_UNSET is not set; set it, or write `${env:LANEWAY_TEST_UNSET:-default}`',
    '4:18: exporters.otlp_http/logs.compression: cannot read `${file:./no-such-file}`: no such file',
    '5:15: exporters.otlp_http/logs.encoding: not a reference that is known here: write `${env:LANEWAY_TEST_UNSET}`; a literal `$` is written `$$`',
  ],
  'wrong-kinds': [
    '1:68: receivers.otlp.protocols.http.cors.allowed_origins: must be a list',
    '2:17: shutdown_grace: a bare number has no unit; write a duration with its unit, such as `30s`',
    '6:31: exporters.otlp_http/logs.headers.x-scope-orgid: must be a text, best as `${file:/path}`; put the value in quotes',
    '7:34: exporters.otlp_http/logs.tls.insecure_skip_verify: must be true or false; write `true`, without quotes',
    '8:37: exporters.otlp_http/logs.sending_queue.num_consumers: must be a whole number from 1 to 256',
    '9:15: exporters.file/audit.path: is missing; write the path of a file or folder',
    '9:44: exporters.file/audit.rotation.max_megabytes: must be a whole number from 1 to 1000000',
    '11:21: lanes.log.exporters: must be a list, not a map',
  ],
}

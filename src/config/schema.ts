// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the contract's own syntax
/**
 * The whole configuration contract as one schema: keys, kinds, words, defaults, and what each is for.
 *
 * This file is the source; `scripts/schema.ts` writes it to `config/laneway.schema.json`, which editors read
 * and which `check.ts` walks at start. It is never loaded at run time: typebox costs 20 MiB and 100 ms.
 * Relations between values (a lane's exporter exists, min ≤ max) are not here but in the `map-*` files.
 */
import { type TSchema, Type } from 'typebox'
import { PLACES } from '../policy/place.ts'
import {
  age,
  anyText,
  boolean,
  duration,
  integer,
  type Keys,
  list,
  map,
  named,
  number,
  oneOrMany,
  optional,
  reference,
  secret,
  size,
  text,
  word,
} from './schema-words.ts'

const receivers = map({
  otlp: optional(
    map({
      protocols: optional(
        map({
          http: optional(
            map({
              endpoint: optional(
                text('address'),
                'Where OTLP/HTTP is taken: `host:port` (`localhost` is both 127.0.0.1 and ::1) or `unix:///path`.',
                'localhost:4318',
              ),
              max_request_body_size: optional(
                size,
                'Largest body, on the wire and, separately, decompressed. Over it: 413.',
                '64MiB',
              ),
              max_in_flight_size: optional(
                size,
                'All bodies being received or decided, together. Over it: 503 with Retry-After.',
                '256MiB',
              ),
              cors: optional(
                map({
                  allowed_origins: optional(
                    list(text('glob')),
                    'Origins of web pages that may send here; `*` is a wildcard. Empty: none.',
                    [],
                  ),
                }),
                'For browsers that export directly.',
              ),
            }),
            'OTLP over HTTP, protobuf and JSON.',
          ),
        }),
        'The protocols of the receiver. There is one: http.',
      ),
    }),
    'The OTLP receiver.',
  ),
})

const storage = map({
  directory: optional(
    text('path'),
    'Folder of all that must survive. Relative to the first configuration file.',
    './laneway-data',
  ),
  max_size: optional(size, 'Everything stored and queued, memory queues too.', '1GiB'),
  quarantine_max_size: optional(
    size,
    'Share of max_size for items that wait for a review; an eighth if not given. When full, items are dropped as quarantine_full.',
  ),
  dead_letters_max_size: optional(
    size,
    'Share of max_size for what a backend refused for good; an eighth if not given. When full, the oldest goes.',
  ),
  retention: optional(age, 'How long dead letters and quarantined items are kept.', '168h'),
})

const admin = map({
  endpoint: optional(
    text('address'),
    'Address of the admin port: page, ledger, findings, metrics. Loopback or unix socket; elsewhere only with `token`.',
    '127.0.0.1:13133',
  ),
  health_endpoint: optional(
    text('address'),
    'A second address with /livez, /readyz and /metrics alone; it may be public.',
  ),
  token: optional(secret, 'Bearer token that the admin port asks for. Best as `${file:/path}`.'),
  tap_values: optional(boolean, 'Lets `laneway tap` show values, not only keys.', false),
})

const targetPath = Type.Union([
  text('ottl_path'),
  map({
    path: text('ottl_path'),
    except: optional(list(anyText), 'Values that do not count as present.'),
  }),
])

const selector = Type.Union([
  text('selector'),
  Type.Unsafe<unknown>({
    ...map({
      family: optional(text('family'), 'Items of this family.'),
      target: optional(text('target'), 'Items whose target is this one, or below it.'),
      event_name: optional(
        oneOrMany(text('glob')),
        'Events of this name: a glob, or a list of which one must match.',
      ),
      resource: optional(
        named('^.+$', oneOrMany(text('glob'))),
        'Resource attributes and the globs that their values must match.',
      ),
    }),
    minProperties: 1,
  }),
])

const itemSelectors: Keys = {
  events: optional(list(selector), 'Events: log records, and events of spans.'),
  spans: optional(list(selector), 'Spans.'),
  points: optional(list(selector), 'Data points of metrics.'),
}

const exactlyOneKey = { minProperties: 1, maxProperties: 1 } as const

const acceptLine = Type.Unsafe<unknown>({
  ...map({
    ...itemSelectors,
    except: optional(
      Type.Unsafe<unknown>({ ...map(itemSelectors), ...exactlyOneKey }),
      'What this line names is not taken by the lane.',
    ),
  }),
  ...exactlyOneKey,
})

const fieldKeys = list(text('field'))
const place = word(...PLACES)

const fieldRule = Type.Unsafe<unknown>({
  ...map({
    keep: optional(fieldKeys, 'These stay: keys, globs (`*` crosses dots), or texts (`@name`).'),
    remove: optional(fieldKeys, 'These are removed.'),
    only: optional(
      fieldKeys,
      'An allow-list: in the scope of this rule, whatever it does not name is removed.',
    ),
    hash: optional(fieldKeys, 'The value becomes `hmac:` and 32 hex digits.'),
    truncate: optional(fieldKeys, 'The value is cut to `to` bytes of UTF-8.'),
    to: optional(Type.Union([Type.Integer({ minimum: 0 }), size]), 'For `truncate`: how many bytes stay.'),
    on: optional(oneOrMany(place), 'The places that the rule looks at. Not given: all.'),
    family: optional(oneOrMany(text('family')), 'Only on items of these families.'),
    event_name: optional(oneOrMany(text('glob')), 'Only on events of these names.'),
  }),
  oneOf: ['keep', 'remove', 'only', 'hash', 'truncate'].map((verb) => ({ required: [verb] })),
})

const family = map({
  targets: list(text('target')),
  owner: optional(anyText, 'Who answers for this family.'),
})

const policy = map({
  preset: optional(
    word('codex', 'codex-strict', 'none'),
    'What ships with Laneway; the keys below override it one by one.',
    'codex',
  ),
  namespace: optional(anyText, 'Targets in it are ours; all others are foreign.'),
  match: optional(
    word('segment', 'prefix'),
    '`segment`: `a.b` owns `a.b` and `a.b.c`. `prefix`: the raw string prefix.',
    'segment',
  ),
  target: optional(
    map({
      log_record: optional(list(targetPath), 'Paths for a LogRecord; the first that is present decides.'),
      span_event: optional(list(targetPath), 'Paths for an event of a span.'),
      span: optional(list(targetPath), 'Paths for a span.'),
    }),
    'Where the target of an item is read.',
  ),
  families: optional(
    named('^[A-Za-z_][A-Za-z0-9_-]*$', family),
    'Families: names for sets of targets. The longest target that matches wins.',
  ),
  unreviewed: optional(
    word('forward', 'quarantine', 'drop'),
    'Events of the namespace that no family names.',
    'forward',
  ),
  foreign: optional(word('forward', 'quarantine', 'drop'), 'Events outside the namespace.', 'drop'),
  rehome: optional(
    Type.Union([
      Type.Boolean(),
      reference,
      map({
        to_logs: optional(boolean, 'Events of spans that belong on a logs lane become log records.', true),
        to_traces: optional(
          boolean,
          'Log records that belong on a traces lane become events of a span.',
          true,
        ),
      }),
    ]),
    'Moves an event to the carriage that its lane uses; off, it is dropped as wrong_carriage.',
  ),
  reviews: optional(text('path'), 'The file that `laneway review` writes; keep it in git.', './reviews.yaml'),
})

const lane = map({
  signal: optional(word('logs', 'traces', 'metrics'), 'What leaves on this lane.'),
  accept: optional(
    list(acceptLine),
    'In order; the first line that names an item decides. Under a preset, these come before its lines.',
  ),
  fields: optional(
    list(fieldRule),
    'The field policy of this lane, in order. Under a preset, these come before its lines.',
    [],
  ),
  preset_rules: optional(
    boolean,
    "false: the preset's `accept` and `fields` lines of this lane are off.",
    true,
  ),
  unlisted_fields: optional(word('keep', 'remove'), 'Attributes that no rule decided.', 'keep'),
  wire: optional(word('as_is', 'canonical'), '`as_is`: what no rule touches leaves byte for byte.', 'as_is'),
  exporters: optional(list(text('exporter')), 'Names of exporters. None: the lane is off.'),
})

const batch = map({
  min_size: optional(size, 'A batch of this size leaves at once.', '0B'),
  max_size: optional(size, 'No batch is larger, unless one parcel is.', '4MiB'),
  flush_timeout: optional(duration, 'A smaller batch leaves after this long.', '200ms'),
})

const queue = map({
  storage: optional(
    word('disk', 'memory'),
    '`disk`: durable before the sender hears 200. Not given: `disk` for otlp_http, `memory` for file and debug.',
  ),
  queue_size: optional(size, 'Bytes; an equal share of what storage.max_size leaves, if not given.'),
  on_full: optional(
    word('refuse', 'drop_oldest'),
    '`refuse`: 503 to requests that need this queue, no others.',
    'refuse',
  ),
  num_consumers: optional(integer(1, 256), 'Requests to the backend at one time.', 4),
  wait_for_result: optional(boolean, "true: the sender's 200 waits for the backend's.", false),
  batch: optional(batch, 'How parcels are joined; sizes are in bytes.'),
})

const retry = map({
  enabled: optional(boolean, 'false: one try, then a dead letter.', true),
  initial_interval: optional(duration, 'The first wait.', '1s'),
  max_interval: optional(duration, 'The longest wait.', '30s'),
  max_elapsed_time: optional(age, 'After this long it is a dead letter; 0s: never.', '0s'),
  multiplier: optional(number(1, 100), 'Each wait is so many times the last.', 1.5),
  randomization_factor: optional(number(0, 1), 'How much of a wait is random.', 0.5),
})

const tls = map({
  ca_file: optional(text('path'), 'Certificates of the authorities to trust, PEM.'),
  cert_file: optional(text('path'), 'Client certificate, PEM; needs key_file.'),
  key_file: optional(text('path'), 'Key of cert_file, PEM.'),
  insecure_skip_verify: optional(boolean, 'true: any certificate is taken. For tests only.', false),
})

const sendingQueue = optional(queue, 'The queue of this exporter: its own bound and pace.')

const otlpHttp = map({
  endpoint: optional(text('url'), 'Base URL; `/v1/logs`, `/v1/traces` or `/v1/metrics` is added.'),
  logs_endpoint: optional(text('url'), 'URL for logs, used as it is.'),
  traces_endpoint: optional(text('url'), 'URL for traces, used as it is.'),
  metrics_endpoint: optional(text('url'), 'URL for metrics, used as it is.'),
  encoding: optional(word('proto', 'json'), 'Protobuf, or OTLP/JSON.', 'proto'),
  compression: optional(word('gzip', 'zstd', 'none'), 'Of request bodies.', 'gzip'),
  headers: optional(
    named('^.+$', secret),
    'Sent with each request. `${file:}` is read again when the file changes, and on 401.',
  ),
  timeout: optional(duration, 'For one try, reply included.', '30s'),
  tls: optional(tls, 'For https:// endpoints.'),
  sending_queue: sendingQueue,
  retry_on_failure: optional(retry, 'What happens when the backend cannot take it now.'),
})

const file = map({
  path: text('path'),
  rotation: optional(
    map({
      max_megabytes: optional(integer(1, 1_000_000), 'A file never grows past so many million bytes.', 100),
      max_backups: optional(integer(1, 10_000), 'Full files that are kept.', 3),
    }),
    'When a new file is begun, and how many are kept.',
  ),
  sending_queue: sendingQueue,
})

const debug = map({ sending_queue: sendingQueue })

const exporters = Type.Unsafe<unknown>({
  type: 'object',
  patternProperties: {
    '^(otlp_http|otlphttp)(/\\S+)?$': Type.Union([otlpHttp, Type.Null()], { description: 'OTLP over HTTP.' }),
    '^file(/\\S+)?$': Type.Union([file, Type.Null()], {
      description: 'A file of OTLP/JSON, one request a line.',
    }),
    '^debug(/\\S+)?$': Type.Union([debug, Type.Null()], {
      description: 'One line a parcel on stderr: counts, never content.',
    }),
  },
  additionalProperties: false,
})

const telemetry = map({
  logs: optional(
    map({
      level: optional(
        word('trace', 'debug', 'info', 'warn', 'error', 'silent'),
        'The least level that is written.',
        'info',
      ),
    }),
    'The log on stderr.',
  ),
  metrics: optional(
    map({ level: optional(word('normal'), 'How much is measured. There is one level.', 'normal') }),
    'Metrics of Laneway itself.',
  ),
})

export const CONFIG_SCHEMA: TSchema = Type.Object(
  {
    receivers: optional(receivers, 'Ways in.'),
    storage: optional(storage, 'What must survive a restart, and how much of it.'),
    shutdown_delay: optional(
      duration,
      'After SIGTERM, go on taking requests until 1 s passes without one, at most this long.',
      '3s',
    ),
    shutdown_grace: optional(duration, 'Then drain the queues for so long, counted from SIGTERM.', '10s'),
    admin: optional(admin, 'The admin port.'),
    policy: optional(policy, 'Which items are whose.'),
    lanes: optional(
      named('^[A-Za-z0-9_][A-Za-z0-9_./-]*$', lane),
      'Ways out: what each accepts, which fields may leave on it, and where it goes.',
    ),
    exporters: optional(exporters, 'Destinations, each with its own queue.'),
    hash_key: optional(
      secret,
      'Key of the `hash` verb, at least 32 bytes. Not given: made once, in storage.directory.',
    ),
    telemetry: optional(telemetry, 'What Laneway says of itself.'),
  },
  {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'Laneway configuration',
    additionalProperties: false,
  },
)

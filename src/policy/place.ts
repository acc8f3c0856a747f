/** The places where attributes are found, as `on:` names them. */
export const PLACES = [
  'resource',
  'scope',
  'span',
  'span_link',
  'span_event',
  'log_record',
  'body',
  'data_point',
  'exemplar',
] as const

export type Place = (typeof PLACES)[number]

/** The places of a traces lane. */
export const TRACE_PLACES = ['resource', 'scope', 'span', 'span_link', 'span_event'] as const

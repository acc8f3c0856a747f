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

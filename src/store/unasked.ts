/** A fault of ours: answers come in the order of the questions, each of its kind. */
export function unasked(): Error {
  return new Error('the storage thread answered another question')
}

/**
 * What a partition's owner may be asked for; it is the request's `type`. Its subject says where to look: at a key, or for `withdraw` at the name
 * of something scheduled. Its data is a letter, or the id of what was cancelled.
 */
export const VERBS = ['redrive', 'discard', 'cancel', 'withdraw'] as const;

export type Verb = (typeof VERBS)[number];

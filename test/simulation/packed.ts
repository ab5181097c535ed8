/** The first of a script's arguments. A single one is all of them packed (src/log/pack.ts): a MessagePack array of texts. */
export function firstOf(args: readonly string[]): string {
  const [packed = ''] = args;
  if (args.length > 1) return packed;
  const bytes = Buffer.from(packed, 'latin1');
  const array = bytes[0] as number;
  const at = array === 0xdc ? 3 : array === 0xdd ? 5 : 1;
  const kind = bytes[at] as number;
  const [from, length] =
    kind === 0xd9 ? [at + 2, bytes[at + 1] as number] : kind === 0xdb ? [at + 5, bytes.readUInt32BE(at + 1)] : [at + 1, kind & 0x1f];
  return packed.slice(from, from + length);
}

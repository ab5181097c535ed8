/** Which shard a key lives in. Every sender, of any language, must come to the same answer: CRC-16/XMODEM over the key's UTF-8 bytes. */

const TABLE = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8;
  for (let bit = 0; bit < 8; bit += 1) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1;
  return crc & 0xffff;
});

const utf8 = new TextEncoder();
const scratch = new Uint8Array(4_096);

export function crc16(text: string): number {
  let crc = 0;
  for (let i = 0; i < text.length; i += 1) {
    const unit = text.charCodeAt(i);
    if (unit > 0x7f) return crc16Utf8(text);
    crc = ((crc << 8) ^ (TABLE[(crc >> 8) ^ unit] as number)) & 0xffff;
  }
  return crc;
}

function crc16Utf8(text: string): number {
  const bytes = text.length * 3 <= scratch.length ? scratch.subarray(0, utf8.encodeInto(text, scratch).written) : utf8.encode(text);
  let crc = 0;
  for (const byte of bytes) crc = ((crc << 8) ^ (TABLE[(crc >> 8) ^ byte] as number)) & 0xffff;
  return crc;
}

/** By key alone, whatever the actor type: all that concerns one order meets in one shard. */
export function shardOf(key: string, shards: number): number {
  return crc16(key) % shards;
}

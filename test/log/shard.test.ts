import test from 'ava';
import * as fc from 'fast-check';
import { crc16, shardOf } from '../../src/log/shard.js';

test('the shard is CRC-16/XMODEM over the key, as every other language computes it', (t) => {
  t.is(crc16('123456789'), 0x31c3);
  t.is(crc16(''), 0);
  t.is(crc16('A'), 0x58e5);
  t.is(shardOf('123456789', 16), 0x31c3 % 16);
});

test('a key beyond ASCII is taken as its UTF-8 bytes', (t) => {
  // The same bytes, one by one, through the plain definition of the code.
  const reference = (text: string): number => {
    let crc = 0;
    for (const byte of Buffer.from(text)) {
      crc ^= byte << 8;
      for (let bit = 0; bit < 8; bit += 1) crc = crc & 0x8000 ? ((crc << 1) ^ 0x1021) & 0xffff : (crc << 1) & 0xffff;
    }
    return crc;
  };
  fc.assert(fc.property(fc.string({ unit: 'binary' }), (key) => crc16(key) === reference(key)));
  const long = 'é'.repeat(5_000);
  t.is(crc16(long), reference(long));
});

test('keys spread over all shards', (t) => {
  const counts = new Uint32Array(16);
  for (let i = 0; i < 16_000; i += 1) {
    const shard = shardOf(`order ${i}`, 16);
    counts[shard] = (counts[shard] ?? 0) + 1;
  }
  t.true(Math.min(...counts) > 800 && Math.max(...counts) < 1_200, counts.join(' '));
});

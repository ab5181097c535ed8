import test from 'ava';
import * as fc from 'fast-check';
import { DueHeap } from '../../src/runtime/due-heap.js';

test('what is due comes out by its time, whatever the order it was added and taken in', (t) => {
  fc.assert(
    fc.property(fc.array(fc.option(fc.nat(50), { nil: undefined })), (steps) => {
      const heap = new DueHeap<number>();
      let expected: number[] = [];
      for (const due of steps) {
        if (due === undefined) {
          heap.take();
          expected = expected.slice(1);
        } else {
          heap.add(due, due);
          expected = [...expected, due].sort((a, b) => a - b);
        }
        if (heap.first?.due !== expected[0] || heap.first?.item !== expected[0]) return false;
      }
      return true;
    }),
  );
  t.pass();
});

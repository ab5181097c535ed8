import test from 'ava';
import { redactedStack } from '../../src/message/stack.js';

test('a kept stack holds class and frames: no message, and no path of the machine', (t) => {
  const stack = [
    'TypeError: cannot ship to 2 Roadford Avenue',
    '  with {"secret":"/etc/passwd"}',
    '    at Warehouse.dispatchProduct (file:///home/ann/shop/dist/actors/warehouse.js:12:11)',
    '    at /home/ann/shop/dist/actors/carrier.js:3:1',
    '    at async Promise.all (index 0)',
    '    at new Client (/home/ann/shop/node_modules/carrier-sdk/lib/client.js:7:5)',
    '    at C:\\Users\\Ann\\shop\\carrier.js:3:1',
    '    at process.processTicksAndRejections (node:internal/process/task_queues:95:5)',
  ].join('\n');
  t.deepEqual(redactedStack('TypeError', stack).split('\n'), [
    'TypeError',
    '    at Warehouse.dispatchProduct (actors/warehouse.js:12:11)',
    '    at actors/carrier.js:3:1',
    '    at async Promise.all (index 0)',
    '    at new Client (node_modules/carrier-sdk/lib/client.js:7:5)',
    '    at shop/carrier.js:3:1',
    '    at process.processTicksAndRejections (node:internal/process/task_queues:95:5)',
  ]);
});

test('a stack that is none leaves the class', (t) => {
  t.is(redactedStack('Error', 'whatever /home/ann'), 'Error');
});

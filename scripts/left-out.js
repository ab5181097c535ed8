// The last word of `npm test`: what could not be tested on this machine.
import { spawnSync } from 'node:child_process';

if (spawnSync('redis-server', ['--version']).status !== 0) {
  console.log('\nNOT TESTED HERE: redis-server is not on PATH, so the half of the tests that needs a real Redis was left out.');
}

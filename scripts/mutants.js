// Takes one protection out of the compiled code at a time and runs the tests that show the guarantee: each mutant must be caught.
// Usage: npm run test:mutants [-- <part of a name>]
import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';

/** `from` must stand in `file` exactly once; `caughtBy` is the test file that must fail. */
const MUTANTS = [
  {
    name: 'a commit under any nonce',
    file: 'dist/src/log/lua/commit.lua',
    from: "if redis.call('HGET', KEYS[1], 'nonce') ~= ARGV[1] then return 'fenced' end",
    to: '',
    caughtBy: 'dist/test/log/scripts.test.js',
  },
  {
    name: 'a nonce that is not checked end to end',
    file: 'dist/src/log/lua/commit.lua',
    from: "if redis.call('HGET', KEYS[1], 'nonce') ~= ARGV[1] then return 'fenced' end",
    to: '',
    caughtBy: 'dist/test/log/fence.test.js',
  },
  {
    name: 'intake without compare-and-set',
    file: 'dist/src/log/lua/commit.lua',
    from: "(redis.call('HGET', KEYS[1], ARGV[at]) or '') ~= ARGV[at + 1]",
    to: 'false',
    caughtBy: 'dist/test/log/scripts.test.js',
  },
  {
    name: 'an append without the producer sequence',
    file: 'dist/src/log/lua/append.lua',
    from: 'if seen == sequence then return string.sub(last, gap + 1) end',
    to: '',
    caughtBy: 'dist/test/log/scripts.test.js',
  },
  {
    name: 'an older batch let through',
    file: 'dist/src/log/lua/append.lua',
    from: "if seen > sequence then return 'stale' end",
    to: '',
    caughtBy: 'dist/test/log/scripts.test.js',
  },
  {
    name: 'a lease that keeps nobody out',
    file: 'dist/src/log/lua/acquire.lua',
    from: 'held[1] and not ours and tonumber(held[3]) > now',
    to: 'false',
    caughtBy: 'dist/test/log/scripts.test.js',
  },
  {
    name: "a waiting key's later messages let through",
    file: 'dist/src/runtime/partition.js',
    from: 'held.drain === undefined && this.#waiting.has(key)',
    to: 'false',
    caughtBy: 'dist/test/runtime/recovery.test.js',
  },
  {
    name: 'a settled message left in the inbox',
    file: 'dist/src/runtime/inbox-window.js',
    from: 'if (removed.length === 0)',
    to: 'if (removed.length >= 0)',
    caughtBy: 'dist/test/runtime/main-job.test.js',
  },
  {
    name: 'trimming past an unsettled message',
    file: 'dist/src/runtime/inbox-window.js',
    from: 'this.#held[gone]?.removed',
    to: 'true',
    caughtBy: 'dist/test/runtime/inbox-window.test.js',
  },
  {
    name: 'a settlement without its effects',
    file: 'dist/src/runtime/partition.js',
    from: 'batch.append(stream, fields);',
    to: 'void stream;',
    caughtBy: 'dist/test/runtime/main-job.test.js',
  },
  {
    name: 'a retry on the state that the failed attempt left',
    file: 'dist/src/runtime/activation.js',
    from: 'this.#instance = undefined; // A3',
    to: '',
    caughtBy: 'dist/test/runtime/main-job.test.js',
  },
  {
    name: 'a hot key that keeps the others out',
    file: 'dist/src/runtime/host.js',
    from: 'crowded && this.slots.free > 0',
    to: 'false',
    caughtBy: 'dist/test/runtime/hot-key.test.js',
  },
  {
    name: "a waiting key's queued messages let through",
    file: 'dist/src/runtime/partition.js',
    from: 'for (const held of queued.splice(0)) {',
    to: 'for (const held of []) {',
    caughtBy: 'dist/test/runtime/recovery.test.js',
  },
  {
    name: 'a suspicion that condemns',
    file: 'dist/src/runtime/activation.js',
    from: 'suspect.kills >= KILLS_TO_CONDEMN',
    to: 'suspect.suspicions >= KILLS_TO_CONDEMN',
    caughtBy: 'dist/test/runtime/poison.test.js',
  },
  {
    name: 'a suspect that runs among others',
    file: 'dist/src/runtime/activation.js',
    from: 'suspect === undefined ?',
    to: 'suspect === undefined || suspect.kills < KILLS_TO_CONDEMN ?',
    caughtBy: 'dist/test/runtime/poison.test.js',
  },
  {
    name: "an owner's own return counted as a kill",
    file: 'dist/src/runtime/suspects.js',
    from: 'takeOver === undefined ? 0 : 1',
    to: '1',
    caughtBy: 'dist/test/runtime/poison.test.js',
  },
  {
    name: 'one stream asked for at one position for all its subscribers',
    file: 'dist/src/log/reader.js',
    from: 'read.filter(({ id }) => compareIds(id, position) > 0)',
    to: 'read',
    caughtBy: 'dist/test/log/reader.test.js',
  },
];

/** A mutant may hang what it breaks; a test that neither passes nor fails in this time has caught it too. */
const LIMIT_MS = 120_000;

function run(test) {
  return new Promise((resolve) => {
    const child = spawn('ava', ['--timeout=20s', test], { stdio: 'ignore', detached: true });
    const end = () => {
      try {
        if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
      } catch {
        // It has ended by itself.
      }
    };
    const limit = setTimeout(end, LIMIT_MS);
    child.once('exit', (code) => {
      clearTimeout(limit);
      end();
      resolve(code === 0);
    });
  });
}

const wanted = process.argv[2] ?? '';
let passed = 0;
let failed = 0;
const chosen = MUTANTS.filter(({ name }) => name.includes(wanted));
for (const test of new Set(chosen.map(({ caughtBy }) => caughtBy))) {
  if (await run(test)) continue;
  console.log(`BROKEN  ${test} fails without any mutant: it can catch nothing`);
  failed += 1;
}
for (const { name, file, from, to, caughtBy } of chosen) {
  const code = readFileSync(file, 'utf8');
  if (code.split(from).length !== 2) {
    console.log(`STALE   ${name}: the code it changes is not there once in ${file}`);
    failed += 1;
    continue;
  }
  let survived;
  try {
    writeFileSync(
      file,
      code.replace(from, () => to),
    );
    survived = await run(caughtBy);
  } finally {
    writeFileSync(file, code);
  }
  console.log(`${survived ? 'SURVIVED' : 'caught  '} ${name} (${caughtBy})`);
  if (survived) failed += 1;
  else passed += 1;
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);

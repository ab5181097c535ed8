// Takes one protection out of the compiled code at a time and runs what shows the guarantee: each mutant must be caught. The code that is
// changed is a copy in the system's folder for temporary files, so that dist/ stays what was compiled, whatever happens.
// Usage: npm run test:mutants [-- <part of a name>]
import { spawn } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { inLiteral } from './literal.js';

/**
 * `from` must stand in `file` exactly once; `caughtBy` is the test file that must fail. A Lua script stands in dist as a string in a module
 * (x.lua in x.lua.js); it is named, and changed, as if it were the file.
 */
const UNIT = [
  {
    name: 'a state of another type taken for none',
    file: 'dist/src/log/state.js',
    from: "countOf(exist, 'EXISTS') > found",
    to: 'false',
    caughtBy: 'dist/test/runtime/spoiled.test.js',
  },
  {
    name: 'a list of another type that stops its partition',
    file: 'dist/src/runtime/spoiled.js',
    from: 'known.set(error.key, error);',
    to: '',
    caughtBy: 'dist/test/runtime/spoiled.test.js',
  },
  {
    name: 'a commit that begins to write before it knows the types of its keys',
    file: 'dist/src/log/lua/commit.lua',
    from: "if found ~= kind and found ~= 'none' then",
    to: 'if false then',
    caughtBy: 'dist/test/log/scripts.test.js',
  },
  {
    name: 'a commit that leaves the entries it wrote before one was refused',
    file: 'dist/src/log/lua/commit.lua',
    from: "call('XDEL', KEYS[i], newest[1][1])",
    to: '',
    caughtBy: 'dist/test/log/scripts.test.js',
  },
  {
    name: 'a commit that begins to write before it knows what its user may do',
    file: 'dist/src/log/lua/commit.lua',
    from: "command ~= last and not redis.acl_check_cmd(command, KEYS[index], '', '')",
    to: 'false',
    caughtBy: 'dist/test/runtime/rights.test.js',
  },
  {
    name: 'a commit that fails for a wake-up that its user may not send',
    file: 'dist/src/log/lua/commit.lua',
    from: "redis.pcall('PUBLISH'",
    to: "redis.call('PUBLISH'",
    caughtBy: 'dist/test/runtime/rights.test.js',
  },
  {
    name: "a start that does not ask for its user's rights",
    file: 'dist/src/runtime/node.js',
    from: 'if (!store.inProcess)',
    to: 'if (false)',
    caughtBy: 'dist/test/runtime/rights.test.js',
  },
  {
    name: 'a log that is not rewritten after a restart of Redis',
    file: 'dist/src/log/append-only-file.js',
    from: "state.kind !== 'off' && state.kind !== 'clean'; wait",
    to: 'false; wait',
    caughtBy: 'dist/test/faults/killed.test.js',
  },
  {
    name: 'an entry that is too large asked for by each source anew',
    file: 'dist/src/log/reader.js',
    from: 'this.#large.keep(source.stream, read);',
    to: '',
    caughtBy: 'dist/test/log/reader.test.js',
  },
  {
    name: 'a slow reply given up after as long each time',
    file: 'dist/src/log/connection.js',
    from: 'Math.min(this.#patience * 2, MOST_PATIENCE)',
    to: '1',
    caughtBy: 'dist/test/log/silence.test.js',
  },
  {
    name: 'an entry kept whole, however large',
    file: 'dist/src/log/reply-tap.js',
    from: 'if (bytes + count > limit)',
    to: 'if (false)',
    caughtBy: 'dist/test/log/wire.test.js',
  },
  {
    name: 'an entry of which only the beginning was read, taken for a message',
    file: 'dist/src/runtime/partition.js',
    from: 'if (entry.oversize !== undefined)',
    to: 'if (false)',
    caughtBy: 'dist/test/runtime/sizes.test.js',
  },
  {
    name: 'a read of as many entries as are wanted, however large they may be',
    file: 'dist/src/log/reader.js',
    from: 'Math.floor(this.#mostAtOnce / Math.max(1, many))',
    to: '500',
    caughtBy: 'dist/test/log/reader.test.js',
  },
  {
    name: 'effects without a bound in bytes',
    file: 'dist/src/runtime/attempt.js',
    from: 'if (bytes > limit)',
    to: 'if (false)',
    caughtBy: 'dist/test/runtime/sizes.test.js',
  },
  {
    name: 'as many states under way as are wanted',
    file: 'dist/src/runtime/state-loader.js',
    from: 'Math.min(MOST, Math.max(1, Math.floor(PAYLOAD_BYTES / this.#bytes))) - this.#underWay',
    to: '1_000',
    caughtBy: 'dist/test/runtime/state-loader.test.js',
  },
  {
    name: 'only the last one told that a partition has nothing in hand',
    file: 'dist/src/runtime/in-hand.js',
    from: 'this.#onRest.push(resolve)',
    to: 'this.#onRest = [resolve]',
    caughtBy: 'dist/test/runtime/supervision-changes.test.js',
  },
  {
    name: "a word of a script's last request taken for what has moved",
    file: 'dist/src/memory-redis/compiled/redis-calls.js',
    from: '!moved && word === standing[index]',
    to: 'word === standing[index]',
    caughtBy: 'dist/test/memory-redis/compiled-scripts.test.js',
  },
  {
    name: 'a compiled function that is called for nothing',
    file: 'dist/src/memory-redis/compiled/translate.js',
    from: 'spend(${this.steps - before + 1});\\n${whole}',
    to: '${whole}',
    caughtBy: 'dist/test/memory-redis/hostile-scripts.test.js',
  },
  {
    name: 'a refusal taken for a value',
    file: 'dist/src/log/connection.js',
    from: "answer.kind === 'reply' ? answer.reply : fail(answer.error)",
    to: "answer.kind === 'reply' ? answer.reply : 0",
    caughtBy: 'dist/test/runtime/refused-replies.test.js',
  },
  {
    name: 'a refusal inside a transaction taken for a value',
    file: 'dist/src/log/connection.js',
    from: 'reply instanceof Error ? fail(refusedBy(reply, commands[i])) : reply',
    to: 'reply instanceof Error ? 0 : reply',
    caughtBy: 'dist/test/runtime/refused-replies.test.js',
  },
  {
    name: 'a commit under any nonce',
    file: 'dist/src/log/lua/commit.lua',
    from: "if call('HGET', KEYS[1], 'nonce') ~= ARGV[1] then return 'fenced' end",
    to: '',
    caughtBy: 'dist/test/log/scripts.test.js',
  },
  {
    name: 'a nonce that is not checked end to end',
    file: 'dist/src/log/lua/commit.lua',
    from: "if call('HGET', KEYS[1], 'nonce') ~= ARGV[1] then return 'fenced' end",
    to: '',
    caughtBy: 'dist/test/log/fence.test.js',
  },
  {
    name: 'intake without compare-and-set',
    file: 'dist/src/log/lua/commit.lua',
    from: "(call('HGET', KEYS[1], ARGV[at]) or '') ~= ARGV[at + 1]",
    to: 'false',
    caughtBy: 'dist/test/log/scripts.test.js',
  },
  {
    name: 'a commit that keeps the first of two states of a key',
    file: 'dist/src/log/commit.js',
    from: 'this.#values[index] = text;',
    to: 'this.#values[index] ??= text;',
    caughtBy: 'dist/test/log/scripts.test.js',
  },
  {
    name: 'an append without the producer sequence',
    file: 'dist/src/log/lua/append.lua',
    from: "local last = call('GET', KEYS[1])",
    to: 'local last = false',
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
    name: 'an entry told by its difference to one of another shape',
    file: 'dist/src/log/script-arguments.js',
    from: 'last.length === values.length',
    to: 'last.length >= values.length',
    caughtBy: 'dist/test/log/scripts.test.js',
  },
  {
    name: 'a result written under the names of other values',
    file: 'dist/src/log/lua/rows.lua',
    from: "'causationid', W[at + 6], 'status', W[at + 7]",
    to: "'causationid', W[at + 7], 'status', W[at + 6]",
    caughtBy: 'dist/test/log/scripts.test.js',
  },
  {
    name: 'an entry told by its difference to that of another stream',
    file: 'dist/src/log/lua/rows.lua',
    from: 'values = rows[stream]',
    to: '_, values = next(rows)',
    caughtBy: 'dist/test/log/scripts.test.js',
  },
  {
    name: "a waiting key's later messages let through",
    file: 'dist/src/runtime/partition.js',
    from: 'held.drain === undefined && this.#waiting.has(held.envelope.subject)',
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
    from: 'this.#held[front]?.removed',
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
    file: 'dist/src/runtime/asides.js',
    from: 'for (let held = queued.shift(); held !== undefined; held = queued.shift()) {',
    to: 'for (const held of []) {',
    caughtBy: 'dist/test/runtime/recovery.test.js',
  },
  {
    name: 'an inbox handed on while a message is still in it',
    file: 'dist/src/runtime/inbox.js',
    from: 'worker.pending > 0 ||',
    to: '',
    caughtBy: 'dist/test/runtime/inbox.test.js',
  },
  {
    name: 'a slot that is kept when all fails around a handler',
    file: 'dist/src/runtime/admission.js',
    from: 'around.verdicts.fault(',
    to: 'throw fault; (',
    caughtBy: 'dist/test/runtime/admission.test.js',
  },
  {
    name: "a key's next message before its predecessor's commit",
    file: 'dist/src/runtime/admission.js',
    from: 'handled === undefined || this.around.behavior.pipelined',
    to: 'true',
    caughtBy: 'dist/test/runtime/interleavings.test.js',
  },
  {
    name: 'a message handled before its state has come',
    file: 'dist/src/runtime/activation.js',
    from: 'this.#early = held;',
    to: 'this.admission.receive(this, held);',
    caughtBy: 'dist/test/runtime/main-job.test.js',
  },
  {
    name: 'a suspicion that condemns',
    file: 'dist/src/runtime/admission.js',
    from: 'suspect.kills >= KILLS_TO_CONDEMN',
    to: 'suspect.suspicions >= KILLS_TO_CONDEMN',
    caughtBy: 'dist/test/runtime/poison.test.js',
  },
  {
    name: 'a suspect that runs among others',
    file: 'dist/src/runtime/admission.js',
    from: 'suspect !== undefined',
    to: 'suspect !== undefined && suspect.kills >= KILLS_TO_CONDEMN',
    caughtBy: 'dist/test/runtime/poison.test.js',
  },
  {
    name: 'a suspect that is set aside and forgotten',
    file: 'dist/src/runtime/asides.js',
    from: 'gathering.remove(held); // what is suspected of it stays: it is not over',
    to: 'gathering.remove(held); this.owner.suspects.settled(gathering, held.entry);',
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
    name: 'a supervisor that restarts without end',
    file: 'dist/src/runtime/supervision-strategy.js',
    from: 'escalations > tree.intensity',
    to: 'false',
    caughtBy: 'dist/test/conformance/otp-supervisor.test.js',
  },
  {
    name: 'rest-for-one that touches the earlier ones',
    file: 'dist/src/runtime/supervision-strategy.js',
    from: 'all.slice(all.indexOf(failed))',
    to: 'all',
    caughtBy: 'dist/test/runtime/supervision-strategy.test.js',
  },
  {
    name: 'a temporary actor type that stays in the heartbeat of its node',
    file: 'dist/src/runtime/ownership.js',
    from: ".filter(({ state }) => state !== 'stopped')",
    to: '',
    caughtBy: 'dist/test/runtime/supervision.test.js',
  },
  {
    name: 'an escalation whose attempt is not counted in the log',
    file: 'dist/src/runtime/partition.js',
    from: 'return this.#asides.wait(held, this.clock.now());',
    to: 'const gathering = this.committer.gather(); leaves(held, gathering); return gathering;',
    caughtBy: 'dist/test/runtime/supervision.test.js',
  },
  {
    name: 'attempts that do not survive their node',
    file: 'dist/src/log/aside.js',
    from: 'const { entry, attempts, fields, history } = aside;',
    to: 'const { entry, fields, history } = aside; const attempts = 0;',
    caughtBy: 'dist/test/runtime/recovery.test.js',
  },
  {
    name: 'a breaker that never opens',
    file: 'dist/src/runtime/breaker.js',
    from: 'this.#failed.size < failures',
    to: 'true',
    caughtBy: 'dist/test/runtime/breaker.test.js',
  },
  {
    name: 'a programming error taken for an outage',
    file: 'dist/src/runtime/breaker.js',
    from: 'PROGRAMMING.has(',
    to: 'false && PROGRAMMING.has(',
    caughtBy: 'dist/test/runtime/breaker.test.js',
  },
  {
    name: 'a healthy message that probes after all failed ones',
    file: 'dist/src/runtime/breaker.js',
    from: 'Math.max(0, first)',
    to: '0',
    caughtBy: 'dist/test/runtime/breaker.test.js',
  },
  {
    name: "a stranger's command that works on another key's state",
    file: 'dist/src/runtime/decode.js',
    from: 'key !== subject',
    to: 'false',
    caughtBy: 'dist/test/runtime/strangers.test.js',
  },
  {
    name: 'an outage that uses attempts up',
    file: 'dist/src/runtime/activation.js',
    from: 'held.attempts -= 1;',
    to: '',
    caughtBy: 'dist/test/runtime/breaker.test.js',
  },
  {
    name: 'a letter redriven as often as it is asked for',
    file: 'dist/src/log/lua/redrive.lua',
    from: "if redis.call('XDEL', KEYS[1], ARGV[1]) == 0 then return 'gone' end",
    to: "redis.call('XDEL', KEYS[1], ARGV[1])",
    caughtBy: 'dist/test/runtime/redrive.test.js',
  },
  {
    name: 'a commit that passes by a mark that nobody had seen',
    file: 'dist/src/runtime/partition.js',
    from: 'this.cancellations.expect(gathering.batch);',
    to: '',
    caughtBy: 'dist/test/runtime/cancel.test.js',
  },
  {
    name: 'a cancelled message that stays scheduled',
    file: 'dist/src/runtime/timetable.js',
    from: 'if (settle(fields, gathering))',
    to: 'if (!settle(fields, gathering))',
    caughtBy: 'dist/test/runtime/cancel.test.js',
  },
  {
    name: 'a message taken out of the schedule while it becomes due',
    file: 'dist/src/runtime/timetable.js',
    from: 'this.#reading.then(read)',
    to: 'read()',
    caughtBy: 'dist/test/runtime/cancel.test.js',
  },
  {
    name: 'a mark that is gone and acted on all the same',
    file: 'dist/src/runtime/cancellations.js',
    from: 'cancelled.some((held) => !this.has(held))',
    to: 'false',
    caughtBy: 'dist/test/runtime/cancel.test.js',
  },
  {
    name: 'a refused commit made again with a marked message in it',
    file: 'dist/src/runtime/cancellations.js',
    from: 'settled.some((held) => this.has(held))',
    to: 'false',
    caughtBy: 'dist/test/runtime/cancel.test.js',
  },
  {
    name: 'a parked message put away although it was cancelled',
    file: 'dist/src/runtime/requests.js',
    from: 'if (this.#endsCancelled(fields, parked.envelope.id, gathering))',
    to: 'if (false)',
    caughtBy: 'dist/test/runtime/cancel.test.js',
  },
  {
    name: 'a marked message that waits for its turn',
    file: 'dist/src/runtime/cancellations.js',
    from: 'this.onMarked();',
    to: '',
    caughtBy: 'dist/test/runtime/cancel-places.test.js',
  },
  {
    name: 'a marked message that waits for its turn once it is loaded',
    file: 'dist/src/runtime/partition.js',
    from: `if (this.cancellations.has(held))
                    this.cancel(held);
                else
                    this.activations.route(held);`,
    to: 'this.activations.route(held);',
    caughtBy: 'dist/test/runtime/cancel-places.test.js',
  },
  {
    name: 'a message cancelled in its list although the list has changed',
    file: 'dist/src/runtime/requests.js',
    from: `if (waiting.version(key) !== version)
            return 'again';`,
    to: '',
    caughtBy: 'dist/test/runtime/cancel-places.test.js',
  },
  {
    name: 'a cancelled message whose end is not recorded',
    file: 'dist/src/runtime/answers.js',
    from: "ending.code === 'CANCELLED' ? UNTRACKED",
    to: "ending.code === 'CANCELLED' ? undefined",
    caughtBy: 'dist/test/runtime/cancel-places.test.js',
  },
  {
    name: 'a mark that goes with the first wish that is taken back',
    file: 'dist/src/log/lua/unmark.lua',
    from: "(at and not string.find(left, ' ', 1, true))",
    to: 'at',
    caughtBy: 'dist/test/runtime/cancel-places.test.js',
  },
  {
    name: 'an actor type that is not recorded when somebody tells it something',
    file: 'dist/src/log/appender.js',
    from: 'await this.#record(untold);',
    to: '',
    caughtBy: 'dist/test/runtime/cancel-places.test.js',
  },
  {
    name: 'an actor type that is not recorded when an actor tells it something',
    file: 'dist/src/runtime/partition.js',
    from: 'gathering.batch.write(command, keys.types(shard), ...values);',
    to: '',
    caughtBy: 'dist/test/runtime/cancel-places.test.js',
  },
  {
    name: 'one stream asked for at one position for all its subscribers',
    file: 'dist/src/log/reader.js',
    from: 'read.filter(({ id }) => compareIds(id, position) > 0)',
    to: 'read',
    caughtBy: 'dist/test/log/reader.test.js',
  },
];

/** Caught by a run of the simulation: the same runs, the same checks, the first seed that fails. */
const SIMULATED = [
  {
    name: 'no nonce check in the commit',
    edits: [
      {
        file: 'dist/src/log/lua/commit.lua',
        from: "if call('HGET', KEYS[1], 'nonce') ~= ARGV[1] then return 'fenced' end",
        to: '',
      },
    ],
  },
  {
    name: 'a nonce kept over a lost connection',
    edits: [
      {
        file: 'dist/src/runtime/ownership.js',
        from: "this.#lost(partition, 'connection lost');",
        to: 'void partition;',
      },
    ],
  },
  {
    name: 'a commit sent again after a lost reply',
    edits: [
      {
        file: 'dist/src/log/commit.js',
        from: "const reply = await runScript(link, 'commit', keys, conditions, writes);",
        to: `const send = () => runScript(link, 'commit', keys, conditions, writes);
    const reply = await send().catch(async (error) => {
      await new Promise((resolve) => setImmediate(resolve)); // the link is told after its commands are
      if (error.code !== 'REDIS_CONNECTION_LOST' || !(await link.untilUp(60_000))) throw error;
      return send();
    });`,
      },
    ],
  },
  {
    name: 'settlement apart from the effects',
    edits: [
      { file: 'dist/src/runtime/committer.js', from: 'this.options.complete(next);', to: '' },
      {
        file: 'dist/src/runtime/committer.js',
        from: 'let reply = await commit(link, nonce, next.batch);',
        to: `let reply = await commit(this.options.link, this.options.nonce, next.batch);
                if (reply === 'committed' && next.removed.length > 0) {
                  const apart = new Commit(this.options.partitionKey);
                  for (const held of next.removed) apart.remove(held);
                  this.options.complete(apart);
                  reply = await commit(this.options.link, this.options.nonce, apart.batch);
                }`,
      },
    ],
  },
  {
    name: 'trimming past an unsettled entry',
    edits: [{ file: 'dist/src/runtime/inbox-window.js', from: 'this.#held[front]?.removed', to: 'true' }],
  },
  {
    name: 'an append without the producer sequence',
    edits: [{ file: 'dist/src/log/lua/append.lua', from: "local last = call('GET', KEYS[1])", to: 'local last = false' }],
  },
  {
    name: 'two batches in flight',
    edits: [
      {
        file: 'dist/src/runtime/committer.js',
        from: 'this.#scheduled || this.#underWay !== undefined || this.#ended',
        to: 'this.#scheduled || this.#ended',
      },
      {
        file: 'dist/src/runtime/committer.js',
        from: 'while (!this.#ended && this.#underWay === undefined) {',
        to: 'while (!this.#ended) {',
      },
    ],
  },
  {
    name: 'intake without compare-and-set',
    edits: [
      {
        file: 'dist/src/log/lua/commit.lua',
        from: "(call('HGET', KEYS[1], ARGV[at]) or '') ~= ARGV[at + 1]",
        to: "ARGV[at] == 'cancels' and (call('HGET', KEYS[1], ARGV[at]) or '') ~= ARGV[at + 1]",
      },
    ],
  },
  {
    name: 'MAXLEN on an inbox',
    edits: [
      {
        file: 'dist/src/log/lua/append.lua',
        from: "call('XADD', stream, '*', unpack(values, from, to))",
        to: `if bounded == 1 then call('XADD', stream, 'MAXLEN', 8, '*', unpack(values, from, to))
    else call('XADD', stream, '*', unpack(values, from, to)) end`,
      },
      {
        file: 'dist/src/log/lua/append.lua',
        from: "call('XADD', stream, '*', shaped(ARGV, ARGV[alone + 1], alone + 2))",
        to: `if ARGV[5] == '1' then call('XADD', stream, 'MAXLEN', 8, '*', shaped(ARGV, ARGV[alone + 1], alone + 2))
  else call('XADD', stream, '*', shaped(ARGV, ARGV[alone + 1], alone + 2)) end`,
      },
    ],
  },
  {
    name: "a waiting key's later messages let through",
    edits: [
      { file: 'dist/src/runtime/partition.js', from: 'held.drain === undefined && this.#waiting.has(held.envelope.subject)', to: 'false' },
    ],
  },
  {
    name: 'an escalation whose attempt is not counted in the log',
    edits: [
      {
        file: 'dist/src/runtime/partition.js',
        from: 'return this.#asides.wait(held, this.clock.now());',
        to: 'const gathering = this.committer.gather(); leaves(held, gathering); return gathering;',
      },
    ],
  },
  {
    name: 'an actor that resumes with what the failed attempt left',
    edits: [
      { file: 'dist/src/runtime/activation.js', from: 'return this.#withState(instance);\n        }', to: 'return instance;\n        }' },
    ],
  },
  {
    name: 'a message that escalates for ever',
    edits: [{ file: 'dist/src/runtime/activation.js', from: 'usedUp(recoverability, held.attempts)', to: 'false' }],
  },
  {
    name: 'a message that is given up without a letter',
    edits: [{ file: 'dist/src/runtime/partition.js', from: 'this.verdicts.condemn(gathering, held, code, error);', to: '' }],
  },
  {
    name: 'a letter redriven as often as it is asked for',
    edits: [
      {
        file: 'dist/src/log/lua/redrive.lua',
        from: "if redis.call('XDEL', KEYS[1], ARGV[1]) == 0 then return 'gone' end",
        to: "redis.call('XDEL', KEYS[1], ARGV[1])",
      },
    ],
  },
  {
    name: 'a parked message redriven by whoever asks late',
    edits: [
      {
        file: 'dist/src/runtime/requests.js',
        from: 'letter?.parked && head !== undefined && head.entry === letter.entry && waiting.parked(key)',
        to: 'head !== undefined',
      },
    ],
  },
  {
    name: 'a commit that passes by a mark that nobody had seen',
    edits: [{ file: 'dist/src/runtime/partition.js', from: 'this.cancellations.expect(gathering.batch);', to: '' }],
  },
  {
    name: 'a message that goes to the schedule without a look at the marks',
    edits: [{ file: 'dist/src/runtime/partition.js', from: 'this.cancellations.moves(gathering, held,', to: '(() => undefined)(' }],
  },
  {
    name: 'a message that goes behind its waiting key without a look at the marks',
    edits: [{ file: 'dist/src/runtime/asides.js', from: 'cancellations.moves(gathering, held, (same)', to: '(() => undefined)((same)' }],
  },
  {
    name: 'a message that goes to its retry, or is parked, without a look at the marks',
    edits: [{ file: 'dist/src/runtime/asides.js', from: 'cancellations.moves(gathering, held);', to: '' }],
  },
  {
    name: 'a marked message that is moved by a commit that was refused for its mark',
    edits: [{ file: 'dist/src/runtime/cancellations.js', from: 'this.has(held) && !cancelled.includes(held)', to: 'false' }],
  },
  {
    name: 'a marked message that is read and moved all the same',
    edits: [
      {
        file: 'dist/src/runtime/partition.js',
        from: `else if (this.cancellations.has(held))
            this.cancel(held);`,
        to: '',
      },
    ],
  },
  {
    name: 'a wish that takes away what others have marked',
    edits: [{ file: 'dist/src/log/lua/unmark.lua', from: "(at and not string.find(left, ' ', 1, true))", to: 'at' }],
  },
  {
    name: 'a cancelled message whose end is not recorded',
    edits: [
      {
        file: 'dist/src/runtime/answers.js',
        from: "ending.code === 'CANCELLED' ? UNTRACKED",
        to: "ending.code === 'CANCELLED' ? undefined",
      },
    ],
  },
  {
    name: 'an actor type that is not recorded when somebody tells it something',
    edits: [{ file: 'dist/src/log/appender.js', from: 'await this.#record(untold);', to: '' }],
  },
  {
    name: 'a list that changed while a message was looked for in it',
    edits: [
      {
        file: 'dist/src/runtime/requests.js',
        from: `if (waiting.version(key) !== version)
            return 'again';`,
        to: '',
      },
    ],
  },
  {
    name: 'a mark that is gone and acted on all the same',
    edits: [{ file: 'dist/src/runtime/cancellations.js', from: 'cancelled.some((held) => !this.has(held))', to: 'false' }],
  },
  {
    name: 'a message that is cancelled where it rests, and stays there',
    edits: [{ file: 'dist/src/runtime/requests.js', from: 'waiting.takeOut(gathering, key, aside, at === 0);', to: '' }],
  },
  {
    name: 'a handler that outlives its message',
    edits: [
      {
        file: 'dist/src/runtime/activation.js',
        from: 'envelope.expires === undefined ? timeout : Math.min(timeout, envelope.expires)',
        to: 'timeout',
      },
    ],
  },
  {
    name: 'a message that is redriven with the expiry that it had',
    edits: [{ file: 'dist/src/runtime/redrives.js', from: ", 'expirytime']", to: ']' }],
  },
  {
    name: 'a message that kills for ever',
    edits: [{ file: 'dist/src/runtime/admission.js', from: 'suspect.kills >= KILLS_TO_CONDEMN', to: 'false' }],
  },
  {
    name: 'a suspicion that condemns',
    edits: [
      { file: 'dist/src/runtime/admission.js', from: 'suspect.kills >= KILLS_TO_CONDEMN', to: 'suspect.suspicions >= KILLS_TO_CONDEMN' },
    ],
  },
  {
    name: 'a settled message that stays a suspect',
    edits: [{ file: 'dist/src/runtime/suspects.js', from: 'this.records.clear(gathering.batch, entry);', to: '' }],
  },
  {
    name: 'a supervisor that restarts without end',
    edits: [{ file: 'dist/src/runtime/supervision-strategy.js', from: 'escalations > tree.intensity', to: 'false' }],
  },
  {
    name: 'a message that is handled before its delay is over',
    edits: [
      {
        file: 'dist/src/runtime/waiting-keys.js',
        from: 'first !== undefined && first.due <= now;',
        to: 'first !== undefined;',
      },
    ],
  },
  {
    name: 'a parked message put away although somebody has cancelled it',
    edits: [{ file: 'dist/src/runtime/requests.js', from: 'gathering.settle(parked);', to: '' }],
  },
];

/** A mutant may hang what it breaks; a test that neither passes nor fails in this time has caught it too. */
const LIMIT_MS = 120_000;
/** The simulation must catch a mutant within so many seeds. */
const MOST_SEEDS = 400;
const HUNT_LIMIT_MS = 900_000;

const root = process.cwd();

/** Runs a command in the copy; resolves to its exit code (null: it was ended) and what it printed. */
function run(folder, limit, command, ...args) {
  return new Promise((done) => {
    const env = { ...process.env, PATH: `${join(root, 'node_modules', '.bin')}:${process.env.PATH}` };
    const child = spawn(command, args, { cwd: folder, env, stdio: ['ignore', 'pipe', 'ignore'], detached: true });
    let printed = '';
    child.stdout.on('data', (text) => {
      printed += text;
    });
    const end = () => {
      try {
        if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
      } catch {
        // It has ended by itself.
      }
    };
    const timer = setTimeout(end, limit);
    child.once('close', (code) => {
      clearTimeout(timer);
      end();
      done({ code, printed });
    });
  });
}

/** A copy of what was compiled, with everything that it finds beside it. */
function copy() {
  const folder = mkdtempSync(join(tmpdir(), 'errand-mutants-'));
  cpSync('dist', join(folder, 'dist'), { recursive: true });
  for (const name of ['package.json', 'ava.config.js', 'config.schema.json']) cpSync(name, join(folder, name));
  for (const name of ['node_modules', 'src', 'actors', 'docs', 'test']) symlinkSync(resolve(name), join(folder, name));
  return folder;
}

/** Applies the edits while `work` runs. @returns its result, or undefined when the code to change is not there once */
async function mutated(folder, edits, work) {
  const before = new Map();
  try {
    for (const { file, from, to } of edits) {
      const isLua = file.endsWith('.lua');
      const path = join(folder, isLua ? `${file}.js` : file);
      const [old, fresh] = isLua ? [inLiteral(from), inLiteral(to)] : [from, to];
      const code = readFileSync(path, 'utf8');
      if (code.split(old).length !== 2) {
        console.log(`STALE    the code to change is not there once in ${file}: ${from}`);
        return undefined;
      }
      if (!before.has(path)) before.set(path, code);
      writeFileSync(
        path,
        code.replace(old, () => fresh),
      );
    }
    return await work();
  } finally {
    for (const [path, code] of before) writeFileSync(path, code);
  }
}

const wanted = process.argv[2] ?? '';
const folder = copy();
let passed = 0;
let failed = 0;
const say = (good, text) => {
  console.log(text);
  if (good) passed += 1;
  else failed += 1;
};
try {
  const unit = UNIT.filter(({ name }) => name.includes(wanted));
  const simulated = SIMULATED.filter(({ name }) => name.includes(wanted));
  const test = async (file) => (await run(folder, LIMIT_MS, 'ava', '--timeout=20s', file)).code === 0;
  const hunt = async (seeds) => run(folder, HUNT_LIMIT_MS, process.execPath, 'dist/test/simulation/hunt.js', String(seeds));

  for (const file of new Set(unit.map(({ caughtBy }) => caughtBy)))
    if (!(await test(file))) say(false, `BROKEN   ${file} fails without any mutant: it can catch nothing`);
  for (const { name, file, from, to, caughtBy } of unit) {
    const survived = await mutated(folder, [{ file, from, to }], () => test(caughtBy));
    say(survived === false, `${survived === false ? 'caught  ' : 'SURVIVED'} ${name} (${caughtBy})`);
  }

  if (simulated.length > 0) {
    const { code, printed } = await hunt(20);
    if (code !== 0) say(false, `BROKEN   the simulation fails without any mutant: ${printed.slice(0, 300)}`);
  }
  for (const { name, edits } of simulated) {
    const ended = await mutated(folder, edits, () => hunt(MOST_SEEDS));
    const found = ended?.code === 1 && ended.printed.startsWith('{') ? JSON.parse(ended.printed) : undefined;
    if (found === undefined) say(false, `SURVIVED ${name} (simulation, ${MOST_SEEDS} seeds${ended?.code === null ? '; it hung' : ''})`);
    else say(true, `caught   ${name} (simulation, seed ${found.seed} of ${found.seeds}: ${found.check}: ${found.text.slice(0, 160)})`);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);

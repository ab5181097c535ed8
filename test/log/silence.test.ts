import test from 'ava';
import { Link } from '../../src/log/connection.js';
import { openStore } from '../../src/log/store.js';
import { SOCKET_TIMEOUT_MS } from '../../src/message/limits.js';
import { seededRandom } from '../../src/message/random.js';
import { VirtualClock } from '../../src/testing.js';
import { startFakeRedis } from '../support/fake-redis.js';

// issue 14, A10
for (const patient of [true, false]) {
  test(`a connection that keeps silent is given up; ${patient ? 'a patient link then waits twice as long, until it is answered' : 'another one after as long again'}`, async (t) => {
    const answers = { xread: false };
    const server = await startFakeRedis(([command]) =>
      command === 'XREAD' && !answers.xread ? '' : command === 'XREAD' ? '*0\r\n' : '+OK\r\n',
    );
    const clock = new VirtualClock();
    const link = new Link({ store: await openStore(server.url, clock), name: 'reads', clock, random: seededRandom(1), patient });
    await link.open();
    /** How long the link waits for an answer, ms. */
    const waits = async (): Promise<number> => {
      const state = { lost: false, again: false };
      const read = link.bytes('XREAD', [['STREAMS', 's', '0']], 1_000).catch(() => {
        state.lost = true;
      });
      link.onUp(() => {
        state.again = true;
      });
      const began = clock.monotonic();
      while (!state.lost) await clock.advance(500);
      const waited = clock.monotonic() - began;
      await read;
      while (!state.again) await clock.advance(50);
      return waited;
    };
    const near = (waited: number): number => Math.round(waited / SOCKET_TIMEOUT_MS);
    t.is(near(await waits()), 1);
    t.is(near(await waits()), patient ? 2 : 1);
    t.is(near(await waits()), patient ? 4 : 1);
    answers.xread = true;
    await link.bytes('XREAD', [['STREAMS', 's', '0']], 1_000);
    answers.xread = false;
    await waits(); // on the connection that had been given more
    t.is(near(await waits()), patient ? 2 : 1, 'from the beginning again');
    link.close();
    await server.stop();
  });
}

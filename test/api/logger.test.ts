/** The logger that a system is given hears what `errand start` logs. Issue 14, B3. */
import { z } from 'zod';
import { Actor, actor, command, handles } from '../../src/index.js';
import { Recorder } from '../support/recorder.js';
import { onBoth } from '../support/stores.js';

const Break = command('break', { to: 'glass', key: (d) => d.k, data: z.object({ k: z.string() }) });
const Nobody = command('nobody-handles', { to: 'nobody', key: (d) => d.k, data: z.object({ k: z.string() }) });

@actor('glass')
class Glass extends Actor {
  @handles(Break)
  break(): void {
    throw new Error('in pieces');
  }
}

const supervisors = [{ name: 's', children: [{ actor: 'glass', recoverability: { immediate: 0, delayed: [] } }] }];

const options = () => ({ actors: [Glass], supervisors, logger: new Recorder() });

onBoth('dead letters and types that nobody hosts are logged once, with their message', options, async (t, { system }, { logger }) => {
  const recorder = logger as Recorder;
  const { messageId } = await system.tell(Break, { k: 'x' }, { correlationId: 'click-1' });
  await system.tell(Nobody, { k: 'x' });
  await system.idle();
  const letters = recorder.of('dead-letter');
  t.is(letters.length, 1);
  t.is(letters[0]?.level, 'error');
  const expected = { actor: 'glass', key: 'x', type: 'break', messageId, correlationId: 'click-1', attempt: 1, reason: 'HANDLER_FAILED' };
  t.like(letters[0]?.details, expected);
  t.deepEqual(
    recorder.of('unhosted').map(({ details }) => details['actor']),
    ['nobody'],
  );
});

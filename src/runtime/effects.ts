import { deleteState, type StoredState, writeState } from '../log/state.js';
import { recordOfTypes } from '../log/told-types.js';
import type { Attempt } from './attempt.js';
import type { Gathering } from './committer.js';
import type { Deps } from './host.js';
import type { Outgoing } from './outgoing.js';

/** What one attempt has done, as writes of the commit that settles its message. @param keepFor ms that a state is kept; undefined: for ever */
export function applyEffects(
  deps: Deps,
  gathering: Gathering,
  attempt: Attempt,
  stateKey: string,
  state: StoredState | undefined,
  keepFor: number | undefined,
): void {
  if (state !== undefined) writeState(gathering.batch, stateKey, state, keepFor);
  else if (attempt.forgotten) deleteState(gathering.batch, stateKey);
  for (const outgoing of attempt.staged) send(deps, gathering, outgoing);
}

/** The actor type that a command is sent to for the first time is recorded with it (log/told-types). */
function send({ told, keys }: Deps, gathering: Gathering, { stream, fields, shard, definition: { to } }: Outgoing): void {
  gathering.batch.append(stream, fields);
  if (to === undefined || told.has(stream)) return;
  const [command, values] = recordOfTypes([to]);
  gathering.batch.write(command, keys.types(shard), ...values);
  gathering.after(() => told.add(stream));
}

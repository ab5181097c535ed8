import { CommandTable } from '../command-table.js';
import { administrationCommands } from './administration.js';
import { bitOperationCommands } from './bit-operations.js';
import { bitfieldCommands } from './bitfield.js';
import { bitCommands } from './bits.js';
import { blockingCommands } from './blocking.js';
import { clientCommands } from './client.js';
import { connectionCommands } from './connection.js';
import { floatCommands } from './floats.js';
import { hashCommands } from './hashes.js';
import { keyCommands } from './keys.js';
import { lcsCommands } from './lcs.js';
import { listCommands } from './lists.js';
import { pubsubCommands } from './pubsub.js';
import { scriptingCommands } from './scripting.js';
import { serverCommands } from './server.js';
import { setCommands } from './sets.js';
import { sortCommands } from './sort.js';
import { sortedSetAlgebraCommands } from './sorted-set-algebra.js';
import { sortedSetRangeCommands } from './sorted-set-ranges.js';
import { sortedSetCommands } from './sorted-sets.js';
import { streamGroupCommands } from './stream-groups.js';
import { streamCommands } from './streams.js';
import { stringCommands } from './strings.js';
import { transactionCommands } from './transactions.js';
import { xinfoCommands } from './xinfo.js';
import { xreadCommands } from './xread.js';

const TABLE = new CommandTable([
  ...connectionCommands,
  ...clientCommands,
  ...serverCommands,
  ...administrationCommands,
  ...keyCommands,
  ...stringCommands,
  ...bitCommands,
  ...bitOperationCommands,
  ...bitfieldCommands,
  ...lcsCommands,
  ...hashCommands,
  ...floatCommands,
  ...listCommands,
  ...blockingCommands,
  ...sortCommands,
  ...setCommands,
  ...sortedSetCommands,
  ...sortedSetRangeCommands,
  ...sortedSetAlgebraCommands,
  ...streamCommands,
  ...xreadCommands,
  ...streamGroupCommands,
  ...xinfoCommands,
  ...transactionCommands,
  ...scriptingCommands,
  ...pubsubCommands,
]);

/** Every command there is; the table holds no state and serves all engines. */
export function allCommands(): CommandTable {
  return TABLE;
}

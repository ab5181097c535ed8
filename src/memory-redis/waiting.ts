import type { Timer } from '../message/clock.js';
import { type Client, HELD_OVERHEAD_BYTES } from './client-state.js';
import type { Engine } from './engine.js';
import { asReply, NO_REPLY, type Reply } from './reply.js';
import type { Session } from './session.js';

/** What a command waits for when it finds nothing. */
export interface BlockRequest {
  readonly command: string;
  readonly keys: readonly string[];
  /** In milliseconds; 0 for ever. */
  readonly timeout: number;
  readonly onTimeout: Reply;
  /** What is answered where nothing may block, when it is not the same. */
  readonly denied?: Reply;
  attempt(key: string): Reply | undefined;
  /** The request that does at once what serving this key did, for the log. */
  served(key: string): readonly string[];
}

/**
 * Blocks the client until `attempt` has a reply for one of the keys, or the time is over.
 * `attempt` has been tried by the caller, in vain.
 */
export function block(client: Client, request: BlockRequest): Reply {
  if (!client.mayBlock) return request.denied === undefined ? request.onTimeout : request.denied;
  const { db, engine } = client;
  const keys = [...new Set(request.keys)];
  const held = keys.reduce((sum, key) => sum + key.length + HELD_OVERHEAD_BYTES, 0);
  let timer: Timer | undefined;
  const cancel = (): void => {
    for (const key of keys) db.stopWaiting(key, blocked);
    timer?.cancel();
    client.blocked = undefined;
    client.heldBytes -= held;
  };
  const end = (reply: Reply): void => {
    cancel();
    client.deliver(reply);
    if (engine.sessions.has(client.id)) engine.schedule(client as Session);
  };
  const blocked = {
    command: request.command,
    onTimeout: request.onTimeout,
    cancel,
    end,
    serve: (key: string): boolean => {
      const reply = engine.recording(
        db,
        () => request.served(key),
        () => attempt(request, key),
      );
      if (reply === undefined) return false;
      end(reply);
      return true;
    },
  };
  for (const key of keys) db.wait(key, blocked);
  if (request.timeout > 0) timer = engine.clock.after(request.timeout, () => end(request.onTimeout));
  client.blocked = blocked;
  client.charge(held);
  return NO_REPLY;
}

function attempt(request: BlockRequest, key: string): Reply | undefined {
  try {
    return request.attempt(key);
  } catch (error) {
    return asReply(error);
  }
}

/** Serves whoever is blocked on what the last request changed. */
export function serveWaiting(engine: Engine): void {
  const { ready } = engine.shared;
  while (ready.size > 0) {
    const changed = [...ready];
    ready.clear();
    for (const [db, keys] of changed) {
      for (const key of keys) for (const waiter of [...(db.waiters.get(key) ?? [])]) waiter.serve(key);
    }
  }
}

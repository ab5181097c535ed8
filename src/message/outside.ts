/**
 * Runs work that belongs to nobody's request. A timer, a connection or a loop keeps the `AsyncLocalStorage` context in which it was made, and everything
 * it does later runs in it: without this, the first request that sends a message would lend its tenant and its trace to all that come after it.
 */
import { AsyncLocalStorage } from 'node:async_hooks';

/** Calls `run` in the context in which this module was loaded: in none, as far as a user can see. */
export const outside: <T>(run: () => T) => T = AsyncLocalStorage.snapshot();

import { Client } from './client-state.js';

/** A client without a connection: for what this Redis does by itself, such as replaying its log. */
export class InternalClient extends Client {
  override mayBlock = false;

  override deliver(): void {
    // There is nobody to deliver to.
  }

  override close(): void {
    // There is no connection to close.
  }
}

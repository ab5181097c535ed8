/** What errand logs with: the shape of pino's methods. Payloads are never logged. */
export interface Logger {
  debug(details: object, message: string): void;
  info(details: object, message: string): void;
  warn(details: object, message: string): void;
  error(details: object, message: string): void;
}

const nothing = (): void => undefined;

/** The default: a library says nothing by itself; what happens is in the signals. */
export const silent: Logger = { debug: nothing, info: nothing, warn: nothing, error: nothing };

/** What errand logs with: the shape of pino's methods. Payloads are never logged. */
export interface Logger {
  debug(details: object, message: string): void;
  info(details: object, message: string): void;
  warn(details: object, message: string): void;
  error(details: object, message: string): void;
}

/** A logger that throws must not take the system down with it. */
export function guarded(logger: Logger): Logger {
  if (logger === silent) return silent;
  const guard =
    (level: keyof Logger) =>
    (details: object, message: string): void => {
      try {
        logger[level](details, message);
      } catch {
        // Nobody is left to tell.
      }
    };
  return { debug: guard('debug'), info: guard('info'), warn: guard('warn'), error: guard('error') };
}

const nothing = (): void => undefined;

/** The default: a library says nothing by itself; what happens is in the signals. */
export const silent: Logger = { debug: nothing, info: nothing, warn: nothing, error: nothing };

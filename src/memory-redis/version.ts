/** The Redis whose replies and errors are spoken here. */
export const SERVER_VERSION = '7.0.15';

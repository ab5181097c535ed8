/** The module beside this file exists in dist only: scripts/build.js writes it, so that bundlers need to find no other file. */

/** sandbox.lua. */
export declare const sandbox: string;
/** vendor/lua-redis-wasm/redis_lua.wasm, compressed with Brotli, in base64. */
export declare const engine: string;

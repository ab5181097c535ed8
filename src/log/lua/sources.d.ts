/**
 * The Lua files beside this one as strings. The module exists in dist only: scripts/build.js writes it, so that bundlers need to find no
 * other file. A new Lua file is declared here.
 */
export declare const acquire: string;
export declare const append: string;
export declare const cancel: string;
export declare const commit: string;
export declare const redrive: string;
export declare const release: string;
export declare const renew: string;
export declare const rows: string;
export declare const rights: string;
export declare const unmark: string;

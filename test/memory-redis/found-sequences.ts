/** Sequences that once got other replies than from a real Redis, each found by the generated ones: they are tried each time. */
export const FOUND: Readonly<Record<string, readonly (readonly string[])[]>> = {
  'a group that has read more than was ever added': [
    ['XADD', 'x1', '1-1', 'f', 'v'],
    ['XGROUP', 'CREATE', 'x1', 'g1', '0', 'ENTRIESREAD', '9223372036854775807'],
    ['XINFO', 'GROUPS', 'x1'],
    ['XREADGROUP', 'GROUP', 'g1', 'c1', 'STREAMS', 'x1', '>'],
    ['XINFO', 'GROUPS', 'x1'],
    ['XINFO', 'STREAM', 'x1', 'FULL'],
  ],
  'a stream to which the largest number of entries was added': [
    ['XADD', 'x1', '1-1', 'f', 'v'],
    ['XSETID', 'x1', '2', 'ENTRIESADDED', '9223372036854775807'],
    ['XADD', 'x1', '3', 'f', 'v'],
    ['XINFO', 'STREAM', 'x1'],
    ['XGROUP', 'CREATE', 'x1', 'g1', '1-1'],
    ['XINFO', 'GROUPS', 'x1'],
  ],
  'TIME in a transaction': [['MULTI'], ['TIME'], ['EXEC']],
  'too many words for a random member': [
    ['SPOP', 't1', '0', '0'],
    ['SRANDMEMBER', 't1', 'abc', '0'],
  ],
  'a kind of client that there is not': [['CLIENT', 'KILL', 'TYPE', 'nonsense']],
  'a reason for unblocking that there is not': [['CLIENT', 'UNBLOCK', 'abc', 'nonsense']],
  'how often a key that is not there is used': [['OBJECT', 'FREQ', 'nothing']],
  'a setting without its value': [
    ['CONFIG', 'SET', 'slowlog-max-len', '128', 'slowlog-max-len'],
    ['CONFIG', 'SET', 'slowlog-max-len', ''],
  ],
  'lines in a status and in an error': [
    ['EVAL', 'return {ok = "two\r\nlines"}', '0'],
    ['EVAL', 'return redis.error_reply("two\r\nlines")', '0'],
  ],
  'an error that a script marks itself': [['EVAL', 'return redis.error_reply("-SPECIAL x")', '0']],
  'too many words for some subcommands': [
    ['CLIENT', 'UNBLOCK', '999999999', 'TIMEOUT', ''],
    ['PUBSUB', 'CHANNELS', '*', ''],
  ],
  'a key of another type, and an option without its value': [
    ['INCR', 's1'],
    ['ZINTERCARD', '2', 's1', 's1', 'LIMIT'],
    ['SINTERCARD', '2', 's1', 's1', 'LIMIT'],
  ],
  'the same expiry twice': [
    ['SET', 's1', '', 'EX', 'NX', 'EX', ''],
    ['SET', 's1', '', 'EX', '10', 'EX', '20'],
    ['TTL', 's1'],
    ['SET', 's1', '', 'EX', '10', 'PX', '20'],
    ['GETEX', 's1', 'PX', '10000', 'PX', '20000'],
  ],
  'keys of commands that may have none': [
    ['COMMAND', 'GETKEYS', 'EVAL', 'return 1', '0'],
    ['COMMAND', 'GETKEYS', 'PING'],
    ['COMMAND', 'GETKEYS', 'GET'],
    ['COMMAND', 'GETKEYS', 'PING', 'a'],
  ],
  'samples that are no number': [['MEMORY', 'USAGE', 'nothing', 'SAMPLES', '', '']],
  'a name set by a HELLO that is wrong further on': [
    ['HELLO', '2', 'SETNAME', 'me', 'nonsense'],
    ['CLIENT', 'GETNAME'],
  ],
  "RESP3's types from a script, in RESP2": [
    ['EVAL', 'return {{double = 3.5}, true, false, {map = {a = 1}}}', '0'],
    ['EVAL', 'return {{big_number = "123"}, {verbatim_string = {format = "txt", string = "abc"}}}', '0'],
    ['ZADD', 'z1', '1.5', 'a'],
    ['EVAL', 'redis.setresp(3) return redis.call("ZSCORE", "z1", "a")', '0'],
  ],
  'all channels given up at once, which answers for each': [
    ['SUBSCRIBE', 'c1'],
    ['SUBSCRIBE', 'c2'],
    ['PSUBSCRIBE', 'c*'],
    ['UNSUBSCRIBE'],
    ['HELLO', '3'],
    ['PUNSUBSCRIBE'],
    ['HELLO', '3'],
  ],
};

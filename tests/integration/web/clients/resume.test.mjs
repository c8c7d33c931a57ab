// What `resume` of docs/clients does on each way in which a subscription can end. node resume.test.mjs
import assert from 'node:assert/strict';
import { resume } from './resume.mjs';

const setTimeoutOfNode = globalThis.setTimeout;
globalThis.setTimeout = (work, _milliseconds, ...rest) => setTimeoutOfNode(work, 0, ...rest);
const soon = () => new Promise((resolve) => setTimeoutOfNode(resolve, 20));

function following(variables) {
  const asked = [], told = [];
  let ended = 0, sink;
  const client = { subscribe: (request, given) => { asked.push(request.variables); sink = given; return () => { ended += 1; }; } };
  const stop = resume(client, { query: '…', variables }, {
    next: (result) => told.push(result), error: (error) => told.push(error), complete: () => told.push('complete'),
  });
  return { asked, told, stop, sink: () => sink, ended: () => ended };
}
const event = (cursor) => ({ data: { events: { cursor } } });
const fault = (code) => ({ message: code, extensions: { code } });

// A lost connection: again, from the last cursor, with the other variables as they were.
let it = following({ after: 'a', account: '1' });
it.sink().next(event('b'));
it.sink().next(event('c'));
it.sink().error(new Error('ECONNREFUSED'));
await soon();
it.sink().error({ code: 1001 });
await soon();
assert.deepEqual(it.asked, [{ after: 'a', account: '1' }, { after: 'c', account: '1' }, { after: 'c', account: '1' }]);
assert.deepEqual(it.told, [event('b'), event('c')]);

// What trying again mends isn't told; over server-sent events it comes as a result.
it.sink().next({ errors: [fault('SLOW_READER')] });
it.sink().error([fault('UNAVAILABLE')]);
await soon();
assert.equal(it.asked.length, 4);
assert.equal(it.told.length, 2);

// Ended by the user while it waits, and while it connects: no more is asked.
it.sink().error(new Error('lost'));
it.stop();
await soon();
it = following({});
it.stop();
it.sink().error(new Error('the connection that was being made failed'));
await soon();
assert.deepEqual([it.asked.length, it.ended(), it.told], [1, 1, []]);

// For good: a token that isn't accepted, a wrong message, document or cursor, the end of the operation.
const closes = (...codes) => codes.map((code) => ({ code, reason: '…' }));
// What is told of a lost connection is an Error that says why, since Apollo takes anything else for unexpected.
for (const close of closes(1009, 4400, 4401, 4403, 4406, 4409, 4429)) {
  it = following({});
  it.sink().error(close);
  await soon();
  assert.deepEqual([it.asked.length, it.told.length, it.told[0].code], [1, 1, close.code]);
  assert.ok(it.told[0] instanceof Error && it.told[0].message.includes(close.code) && it.told[0].message.includes(close.reason));
}
const refused = Object.assign(new Error('the server responded with 400'), { response: { status: 400 } });
it = following({});
it.sink().error(refused);
await soon();
assert.deepEqual([it.asked.length, it.told], [1, [refused]]);
// GraphQL errors are told by a result, in which form they come over server-sent events too.
it = following({});
it.sink().error([fault('CURSOR_TOO_OLD')]);
await soon();
assert.deepEqual([it.asked.length, it.told], [1, [{ errors: [fault('CURSOR_TOO_OLD')] }, 'complete']]);
it = following(undefined);
it.sink().next({ errors: [fault('UNAUTHENTICATED')] });
it.sink().complete();
await soon();
assert.deepEqual([it.asked.length, it.told], [1, [{ errors: [fault('UNAUTHENTICATED')] }, 'complete']]);
// A busy server is asked again, and one whose connections break or which gave up waiting.
for (const error of [...closes(1000, 1001, 1005, 1006, 1011, 1012, 1013, 4408, 4499), { response: { status: 408 } }, { response: { status: 503 } }, { response: { status: 429 } }, [fault('RATE_LIMITED')]]) {
  it = following({});
  it.sink().error(error);
  await soon();
  assert.equal(it.asked.length, 2);
}

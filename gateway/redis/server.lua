#!lua name=@NAME@
-- The part of the gateway that runs inside Redis: every verb is one call, so it is done whole or not at all, and the
-- order of the calls is the order of the chat.
--
-- Arguments: verb, token of the run, those of the verb. A verb may be tried again after a lost answer, so every verb is idempotent.
--
-- Keys:
--   gw:run          "RUN_ID TOKEN UNTIL": which process of Redis the nodes have entered, a random token, and until when
--                   (ms) nobody may append. A flushed, restored or failed-over Redis does not hold the nodes' token.
--   gw:run:house    the number of the last shared event when that token was made: a node that has read later ones
--                   knows that Redis has lost its end
--   gw:new          Redis came up, or was emptied, a short time ago
--   gw:seed         from which the epochs of rooms nobody has written to are derived
--   gw:rooms        set of the names
--   gw:room:NAME    hash: epoch, head, topic, ts (of the last message)
--   gw:log:NAME     stream: the messages, entry id SEQ-0; fields t (ms since 1970), n (nonce), m (JSON, see stream.py)
--   gw:paste:NAME   stream: whole pastes under the same ids
--   gw:gone:NAME    hash: seq -> what is left of a removed message
--   gw:unclean      set of the streams (log:NAME, paste:NAME) in which deleted entries are left; gw:copy:… replaces one
--   gw:removals     sorted set of all removals by number; gw:removals:last counts them
--   gw:id:HASH      "ROOM SEQ EPOCH ID": a message's place under its sender's identity and id, for two minutes
--   gw:batch:NODE   a node's last batch and the answer to it
--   gw:house        stream of the events for all nodes, entry id NUMBER-0; fields k (kind), n (node), d (JSON)
--
-- An entry above a room's head is not ours (somebody put it there by hand). Nobody ever reads it, and it is deleted when
-- it stands in the way of the next message.

local verbs = {}
local NEW_MS = 10000

-- The token that was handed out by this very process. It is not stored: Redis stores the library with the data, so after
-- a restart or a failover this is false, whatever `gw:run` holds, and every node has to enter.
local entered = false

local function fields(entry)
  local found = {}
  for place = 1, #entry[2], 2 do found[entry[2][place]] = entry[2][place + 1] end
  return found
end

local function number_of(id) return tonumber(string.match(id, '^%d+')) end

local function tell(channel) redis.call('PUBLISH', 'gw:hint:' .. channel, '') end

local function announce(kind, node, data)
  local last = redis.call('XREVRANGE', 'gw:house', '+', '-', 'COUNT', 1)[1]
  local number = last and number_of(last[1]) + 1 or 1
  local counted = tonumber(redis.call('GET', 'gw:house:last') or '0')
  number = math.max(number, counted + 1)
  redis.call('XADD', 'gw:house', 'MAXLEN', '~', 10000, number .. '-0', 'k', kind, 'n', node, 'd', data)
  redis.call('SET', 'gw:house:last', number)
  tell('')
end

local function oldest(name, head)
  local first = redis.call('XRANGE', 'gw:log:' .. name, '-', head .. '-0', 'COUNT', 1)[1]
  local seq = first and number_of(first[1]) or head + 1
  while seq > 1 and redis.call('HEXISTS', 'gw:gone:' .. name, seq - 1) == 1 do seq = seq - 1 end
  return seq
end

-- The messages low..high, one item each: {seq, t, n, m}; {seq, '', '', JSON} for one that was removed, {seq} for one
-- whose entry is missing.
local function window(name, low, high)
  local items, place = {}, {}
  if low > high then return items end
  for _, entry in ipairs(redis.call('XRANGE', 'gw:log:' .. name, low .. '-0', high .. '-0')) do
    local f = fields(entry)
    place[number_of(entry[1])] = {f.t or '', f.n or '', f.m or ''}
  end
  for seq = low, high do
    local found = place[seq]
    if found then
      items[#items + 1] = {seq, found[1], found[2], found[3]}
    else
      local left = redis.call('HGET', 'gw:gone:' .. name, seq)
      items[#items + 1] = left and {seq, '', '', left} or {seq}
    end
  end
  return items
end

-- What is known of a room: epoch (false: it is not stored), head, topic, removed (1: some
-- messages were), ts.
local function meta(name)
  local found = redis.call('HMGET', 'gw:room:' .. name, 'epoch', 'head', 'topic', 'ts')
  return {epoch = found[1], head = tonumber(found[2] or '0'), topic = found[3] or '', ts = found[4] or '0',
          removed = redis.call('EXISTS', 'gw:gone:' .. name)}
end

-- The number of the last entry that is ours, for a room whose hash is gone.
local function last_of(name)
  for _, entry in ipairs(redis.call('XREVRANGE', 'gw:log:' .. name, '+', '-', 'COUNT', 100)) do
    local f = fields(entry)
    if f.t and f.n and f.m then return number_of(entry[1]) end
  end
  return 0
end

local function create(name, epoch, head)
  redis.call('HSET', 'gw:room:' .. name, 'epoch', epoch, 'head', head)
  redis.call('SADD', 'gw:rooms', name)
end

-- Entries above the head are not ours.
local function repair(key, head)
  for _, entry in ipairs(redis.call('XRANGE', key, '(' .. head .. '-0', '+')) do redis.call('XDEL', key, entry[1]) end
  if redis.call('XLEN', key) == 0 then redis.call('DEL', key) else redis.call('XSETID', key, head .. '-0') end
end

local function add(key, head, ...)
  local id = (head + 1) .. '-0'
  local added = redis.pcall('XADD', key, ...)
  if type(added) == 'table' and added.err and string.find(added.err, 'equal or smaller', 1, true) then
    repair(key, head)
    added = redis.pcall('XADD', key, ...)
  end
  return type(added) == 'table' and added.err or nil
end

-- run_id, token, quarantine (ms), seed: what the run, the time and the shared events are now.
function verbs.enter(a)
  local now = redis.call('TIME')
  now = now[1] * 1000 + math.floor(now[2] / 1000)
  local held = redis.call('GET', 'gw:run') or ''
  local run, token, until_ms = string.match(held, '^(%S+) (%S+) (%d+)$')
  if run ~= a[1] then
    -- Another process than the one the data was written by: its end may be missing. Other nodes may hold what is
    -- missing, so they get the time to say so before a number is used again.
    until_ms = run and now + tonumber(a[3]) or 0
    token = a[2]
    redis.call('SET', 'gw:run', a[1] .. ' ' .. token .. ' ' .. string.format('%.0f', until_ms))
    redis.call('SET', 'gw:run:house', redis.call('GET', 'gw:house:last') or '0')
    redis.call('SET', 'gw:new', 1, 'PX', NEW_MS)
  end
  entered = token
  redis.call('SET', 'gw:seed', a[4], 'NX')
  return {token, redis.call('GET', 'gw:seed'), string.format('%.0f', now), redis.call('GET', 'gw:time') or '',
          redis.call('GET', 'gw:house:last') or '0', redis.call('GET', 'gw:run:house') or '0'}
end

-- Nothing: the run is checked, as before every verb.
function verbs.ping(a)
  local now = redis.call('TIME')
  return string.format('%.0f', now[1] * 1000 + math.floor(now[2] / 1000))
end

-- Whether anything can be stored.
function verbs.probe(a) return redis.call('SET', 'gw:probe', 1, 'PX', 1000) end

-- name, recent, epoch of an unwritten room, a new epoch, known epoch, known head, nonce of the known head: the room.
function verbs.open(a)
  local name, known_head = a[1], tonumber(a[6])
  local room = meta(name)
  if not room.epoch then
    room.head = last_of(name)
    room.epoch = a[3]
    if room.head > 0 or (known_head > 0 and a[5] == a[3]) then
      room.epoch = a[4]
      create(name, room.epoch, room.head)
    end
  elseif room.epoch == a[5] then
    local lost = room.head < known_head
    if not lost and known_head > 0 and a[7] ~= '' then
      local entry = redis.call('XRANGE', 'gw:log:' .. name, known_head .. '-0', known_head .. '-0')[1]
      lost = entry and fields(entry).n ~= a[7]
    end
    if lost then
      room.epoch = a[4]
      redis.call('HSET', 'gw:room:' .. name, 'epoch', room.epoch)
      tell(name)
    end
  end
  local first = oldest(name, room.head)
  local low = math.max(first, room.head - tonumber(a[2]) + 1)
  return {room.epoch, first, room.head, room.topic, room.removed, window(name, low, room.head)}
end

-- node, number, kept, rooms, {name, epoch if it is new, known epoch, known head} …, {place of the room, hash and id, ts,
-- nonce, payload, whole} …: for each message its number, "=ROOM SEQ EPOCH" where it was stored before under its id, or
-- "!ERROR". Without a known epoch that of the room is not looked at.
function verbs.append(a)
  local node, number, kept, count = a[1], tonumber(a[2]), tonumber(a[3]), tonumber(a[4])
  local now = redis.call('TIME')
  local until_ms = tonumber(string.match(redis.call('GET', 'gw:run'), '%d+$'))
  local wait = until_ms - (now[1] * 1000 + math.floor(now[2] / 1000))
  if wait > 0 then return redis.error_reply('GWWAIT ' .. wait) end
  local held = redis.call('HMGET', 'gw:batch:' .. node, 'number', 'answer')
  if held[1] and tonumber(held[1]) == number then return cjson.decode(held[2]) end
  if held[1] and tonumber(held[1]) > number then return redis.error_reply('GWSTALE a later batch is stored') end
  local rooms, place = {}, 5
  for index = 1, count do
    local name, known, head = a[place], a[place + 2], tonumber(a[place + 3])
    local found = redis.pcall('HMGET', 'gw:room:' .. name, 'epoch', 'head')
    local room = {name = name, epoch = found[1] or a[place + 1], head = tonumber(found[2] or '0')}
    place = place + 4
    if found.err then
      room.err = found.err
    elseif not found[1] then
      local stream = redis.call('TYPE', 'gw:log:' .. name).ok
      if stream ~= 'none' and stream ~= 'stream' then
        room.err = 'WRONGTYPE'
      elseif last_of(name) > 0 or head > 0 or (known ~= '' and known ~= room.epoch) then
        room.err = 'GWEPOCH'
      end
      room.new = true
    elseif known ~= '' and (found[1] ~= known or room.head < head) then
      room.err = 'GWEPOCH'
    end
    rooms[index] = room
  end
  local answer, stored = {}, false
  while a[place] do
    local room, id, whole = rooms[tonumber(a[place])], a[place + 1], a[place + 5]
    local key = id ~= '' and 'gw:id:' .. string.sub(id, 1, 32)
    local before = key and not room.err and redis.call('GET', key)
    if room.err then
      answer[#answer + 1] = '!' .. room.err
    elseif before then
      answer[#answer + 1] = '=' .. string.match(before, '^%S+ %S+ %S+')
    else
      room.err = add('gw:log:' .. room.name, room.head, 'MAXLEN', '~', kept, (room.head + 1) .. '-0',
                     't', a[place + 2], 'n', a[place + 3], 'm', a[place + 4])
      if room.err then
        answer[#answer + 1] = '!' .. room.err
      else
        room.head, room.ts, stored = room.head + 1, a[place + 2], true
        answer[#answer + 1] = room.head
        if key then
          local place = room.name .. ' ' .. room.head .. ' ' .. room.epoch .. ' ' .. string.sub(id, 33)
          redis.call('SET', key, place, 'PX', 120000)
        end
        if whole ~= '' then
          add('gw:paste:' .. room.name, room.head - 1, 'MAXLEN', 1000, room.head .. '-0', 'w', whole)
        end
      end
    end
    place = place + 6
  end
  for _, room in ipairs(rooms) do
    if room.ts then
      redis.call('HSET', 'gw:room:' .. room.name, 'head', room.head, 'ts', room.ts)
      if room.new then create(room.name, room.epoch, room.head) end
      tell(room.name)
    end
  end
  if stored then
    redis.call('HSET', 'gw:batch:' .. node, 'number', number, 'answer', cjson.encode(answer))
    redis.call('PEXPIRE', 'gw:batch:' .. node, 600000)
  end
  return answer
end

-- limit, number of the last shared event, {name, epoch, head} …: the shared events after that number, with the first and the
-- last that it holds; for each room false if it has another epoch or an earlier head, or what was said after that head.
function verbs.news(a)
  local limit, last, answer = tonumber(a[1]), tonumber(a[2]), {}
  local events = {}
  local counted = tonumber(redis.call('GET', 'gw:house:last') or '0')
  if counted > last then
    for _, entry in ipairs(redis.call('XRANGE', 'gw:house', (last + 1) .. '-0', counted .. '-0', 'COUNT', limit)) do
      local f = fields(entry)
      events[#events + 1] = {number_of(entry[1]), f.k or '', f.n or '', f.d or ''}
    end
  end
  for place = 3, #a, 3 do
    local name, head = a[place], tonumber(a[place + 2])
    local room = redis.pcall('HMGET', 'gw:room:' .. name, 'epoch', 'head')
    local now = tonumber(not room.err and room[2] or '0')
    if room.err or (room[1] and room[1] ~= a[place + 1]) or now < head then
      answer[#answer + 1] = false
    else
      local low = now > head and math.max(head + 1, oldest(name, now)) or head + 1
      local high = math.min(now, low + limit - 1)
      local entries = low <= high and redis.call('XRANGE', 'gw:log:' .. name, low .. '-0', high .. '-0') or {}
      -- As they are, if none is missing: taking entries apart here costs Redis several times what reading them does.
      if #entries == high - low + 1 then
        answer[#answer + 1] = {now, entries}
      else
        answer[#answer + 1] = {now, window(name, low, high)}
      end
    end
  end
  return {counted, events, answer}
end

-- name, after, before, limit, "after" or "before": the window, and how many messages there are within the bounds.
function verbs.read(a)
  local name, limit = a[1], tonumber(a[4])
  local room = meta(name)
  local low = math.max(tonumber(a[2]) + 1, oldest(name, room.head))
  local high = math.min(tonumber(a[3]) - 1, room.head)
  local count = math.max(high - low + 1, 0)
  if a[5] == 'after' then high = math.min(high, low + limit - 1) else low = math.max(low, high - limit + 1) end
  return {count, window(name, low, high)}
end

-- name, topic, epoch if the room is new, node, data of the event.
function verbs.topic(a)
  if not meta(a[1]).epoch then create(a[1], a[3], last_of(a[1])) end
  redis.call('HSET', 'gw:room:' .. a[1], 'topic', a[2])
  announce('topic', a[4], a[5])
  return 1
end

-- name, epoch: 1 if there is such a room.
function verbs.renew(a)
  if not meta(a[1]).epoch then return 0 end
  redis.call('HSET', 'gw:room:' .. a[1], 'epoch', a[2])
  tell(a[1])
  return 1
end

function verbs.rooms(a)
  local found = {}
  local names = redis.call('SMEMBERS', 'gw:rooms')
  table.sort(names)
  for _, name in ipairs(names) do
    local room = meta(name)
    if room.epoch then
      local held = redis.call('XLEN', 'gw:log:' .. name) > 0
      found[#found + 1] = {name, room.epoch, oldest(name, room.head), room.head, room.topic, room.removed,
                           held and room.ts or '0'}
    end
  end
  return found
end

function verbs.paste(a)
  local entry = redis.call('XRANGE', 'gw:paste:' .. a[1], a[2] .. '-0', a[2] .. '-0')[1]
  return entry and fields(entry).w
end

-- name, seq, at, by, reason, node: the removal as JSON; false if the message is not held.
function verbs.remove(a)
  local name, seq, key = a[1], a[2], 'gw:gone:' .. a[1]
  local gone = redis.call('HGET', key, seq)
  if gone then return cjson.encode(cjson.decode(gone).removal) end
  local entry = redis.call('XRANGE', 'gw:log:' .. name, seq .. '-0', seq .. '-0')[1]
  if not entry or tonumber(seq) > meta(name).head then return false end
  local f = fields(entry)
  local number = redis.call('INCR', 'gw:removals:last')
  local removal = {number, name, tonumber(seq), tonumber(a[3]), a[4], a[5]}
  local kept = cjson.decode(f.m)
  kept[4], kept[6], kept[7] = '', 0, 0
  redis.call('HSET', key, seq, cjson.encode({ts = tonumber(f.t), m = kept, removal = removal}))
  for _, stream in ipairs({'log:' .. name, 'paste:' .. name}) do
    if redis.call('XDEL', 'gw:' .. stream, seq .. '-0') == 1 then
      redis.call('SADD', 'gw:unclean', stream)
      redis.call('DEL', 'gw:copy:' .. stream)
    end
  end
  local words = cjson.encode(removal)
  redis.call('ZADD', 'gw:removals', number, words)
  announce('removed', a[6], words)
  return words
end

function verbs.removed(a)
  local found = {}
  local after, upto = tonumber(a[2]), tonumber(a[3])
  for _, gone in ipairs(redis.call('HVALS', 'gw:gone:' .. a[1])) do
    local removal = cjson.decode(gone).removal
    if after < removal[3] and removal[3] <= upto then found[#found + 1] = cjson.encode(removal) end
  end
  return found
end

function verbs.removals(a)
  return redis.call('ZRANGEBYSCORE', 'gw:removals', '(' .. a[1], '+inf', 'LIMIT', 0, a[2])
end

-- The number up to which the oldest messages of a room were sent before `before`; those of an unknown age (older than
-- `unknown`) go only with a later one whose age is known. Then whether there may be more.
local function expired_up_to(name, before, unknown)
  local upto, low, more = 0, '-', true
  for _ = 1, 20 do
    local entries = redis.call('XRANGE', 'gw:log:' .. name, low, '+', 'COUNT', 250)
    for _, entry in ipairs(entries) do
      local ts = tonumber(fields(entry).t) or before
      if ts >= before then more = false break end
      if ts >= unknown then upto = number_of(entry[1]) end
    end
    more = more and #entries == 250
    if not more then break end
    low = '(' .. entries[#entries][1]
  end
  local seq = math.max(upto + 1, oldest(name, meta(name).head))
  while true do
    local gone = redis.call('HGET', 'gw:gone:' .. name, seq)
    local ts = gone and cjson.decode(gone).ts or before
    if ts >= before or ts < unknown then return upto, more end
    upto, seq = seq, seq + 1
  end
end

local function forget_gone_below(name, first)
  for _, seq in ipairs(redis.call('HKEYS', 'gw:gone:' .. name)) do
    if (tonumber(seq) or 0) < first then
      local number = cjson.decode(redis.call('HGET', 'gw:gone:' .. name, seq)).removal[1]
      redis.call('ZREMRANGEBYSCORE', 'gw:removals', number, number)
      redis.call('HDEL', 'gw:gone:' .. name, seq)
    end
  end
end

-- cursor, before, unknown age: the next cursor, whether a room has more to delete, {name, first} of the rooms
-- looked at.
function verbs.expire(a)
  local before, unknown = tonumber(a[2]), tonumber(a[3])
  local scanned = redis.call('SSCAN', 'gw:rooms', a[1], 'COUNT', 50)
  local firsts, more = {}, 0
  for _, name in ipairs(scanned[2]) do
    local upto, rest = expired_up_to(name, before, unknown)
    if rest then more = 1 end
    if upto > 0 then
      redis.call('XTRIM', 'gw:log:' .. name, 'MINID', (upto + 1) .. '-0')
      redis.call('XTRIM', 'gw:paste:' .. name, 'MINID', (upto + 1) .. '-0')
    end
    local first = oldest(name, meta(name).head)
    forget_gone_below(name, math.max(upto + 1, first))
    firsts[#firsts + 1] = {name, math.max(upto + 1, first)}
  end
  return {scanned[1], more, firsts}
end

-- id of the event, kind, node, data: told to every node once.
function verbs.announce(a)
  if redis.call('SET', 'gw:event:' .. a[1], 1, 'NX', 'PX', 60000) then announce(a[2], a[3], a[4]) end
  return 1
end

-- limit: how many streams still hold what was deleted from them. XDEL only marks an entry: its text stays in memory, and
-- in every file that Redis writes, as long as a neighbour lives. So the stream is copied, some entries at each call, and
-- the copy takes its place.
function verbs.clean(a)
  local stream = redis.call('SRANDMEMBER', 'gw:unclean')
  if not stream then return 0 end
  local key, copy = 'gw:' .. stream, 'gw:copy:' .. stream
  local last = redis.call('XREVRANGE', copy, '+', '-', 'COUNT', 1)[1]
  local entries = redis.call('XRANGE', key, last and '(' .. last[1] or '-', '+', 'COUNT', a[1])
  for _, entry in ipairs(entries) do redis.call('XADD', copy, entry[1], unpack(entry[2])) end
  if #entries < tonumber(a[1]) then
    local first = redis.call('XRANGE', key, '-', '+', 'COUNT', 1)[1]
    if first then
      redis.call('XTRIM', copy, 'MINID', first[1])  -- what was dropped from the stream meanwhile
      redis.call('RENAME', copy, key)
    else
      redis.call('DEL', copy)
    end
    redis.call('SREM', 'gw:unclean', stream)
  end
  return redis.call('SCARD', 'gw:unclean')
end

-- The text of removed messages may be in Redis' append-only file until it is written anew: whether that is due.
function verbs.erase(a) return redis.call('SET', 'gw:rewrite', 1, 'NX', 'PX', a[1]) and 1 or 0 end

function verbs.time(a) redis.call('SET', 'gw:time', a[1]) return 1 end

-- Bans, mutes, the audit log and the dashboard's logins.
--   gw:bans gw:mutes  hashes: id -> JSON
--   gw:audit          stream: the entries, id NUMBER-0; field e (JSON)
--   gw:logins         hash: key -> JSON

-- since: all bans and mutes but those that ended before that time, which are deleted.
function verbs.sanctions(a)
  local since, found = tonumber(a[1]), {}
  for _, key in ipairs({'gw:bans', 'gw:mutes'}) do
    local held = redis.call('HGETALL', key)
    for place = 1, #held, 2 do
      local sound, sanction = pcall(cjson.decode, held[place + 1])
      local ended = sound and type(sanction) == 'table' and type(sanction[9]) == 'number' and sanction[9] < since
      if ended then redis.call('HDEL', key, held[place]) elseif sound then found[#found + 1] = held[place + 1] end
    end
  end
  return found
end

-- id of the call, node, fact or '', count of entries, count added, entry …, {measure, id, JSON} …, {measure, id} …
function verbs.record(a)
  if not redis.call('SET', 'gw:event:' .. a[1], 1, 'NX', 'PX', 60000) then return 1 end
  local place = 6
  local last = redis.call('XREVRANGE', 'gw:audit', '+', '-', 'COUNT', 1)[1]
  local number = last and number_of(last[1]) or 0
  for _ = 1, tonumber(a[4]) do
    number = number + 1
    redis.call('XADD', 'gw:audit', number .. '-0', 'e', a[place])
    place = place + 1
  end
  for _ = 1, tonumber(a[5]) do
    redis.call('HSET', 'gw:' .. a[place] .. 's', a[place + 1], a[place + 2])
    place = place + 3
  end
  while a[place] do
    redis.call('HDEL', 'gw:' .. a[place] .. 's', a[place + 1])
    place = place + 2
  end
  if a[3] ~= '' then announce('sanctions', a[2], a[3]) end
  return 1
end

-- before, limit: {number, entry} …, the newest first.
function verbs.audit(a)
  local found = {}
  for _, entry in ipairs(redis.call('XREVRANGE', 'gw:audit', a[1], '-', 'COUNT', a[2])) do
    found[#found + 1] = {number_of(entry[1]), fields(entry).e}
  end
  return found
end

function verbs.logins(a) return redis.call('HGETALL', 'gw:logins') end

-- node, fact, {"open", "change" or "end", key, JSON} …: one that was ended elsewhere is not changed.
function verbs.keep_logins(a)
  local changed = false
  for place = 3, #a, 3 do
    local held = redis.call('HGET', 'gw:logins', a[place + 1])
    if a[place] == 'end' then
      changed = redis.call('HDEL', 'gw:logins', a[place + 1]) == 1 or changed
    elseif held ~= a[place + 2] and (held or a[place] == 'open') then
      redis.call('HSET', 'gw:logins', a[place + 1], a[place + 2])
      changed = true
    end
  end
  if changed then announce('logins', a[1], a[2]) end
  return 1
end

-- People and nicks.
--   gw:nodes         hash: node -> time (ms) of its last beat; gw:cards: node -> what others know of it (JSON)
--   gw:node-number   the highest number that a node was given; gw:numbers: node -> its number
--   gw:person:ID     hash: p (JSON), a (account), s (when the last connection ended, ms), n:NODE (1 = connected there,
--                    0 = known there)
--   gw:account:NAME  the identity of an account
--   gw:nick:KEY      "OWNER NODE": an identity, or ~NODE:SESSION, and the node that claimed it
--   gw:code:CODE     "ID CALL": the identity that a code proves; the call that has used it up
--   gw:here:ROOM     hash: node -> who is there (the fact `people`, JSON); gw:counts: "NODE ROOM" -> how many
--   gw:token-key     signs the tokens
local LEASE_MS, NICK_MS, PERSON_MS, KEPT_MS = 10000, 120000, 600000, 172800000

local function now_ms()
  local now = redis.call('TIME')
  return now[1] * 1000 + math.floor(now[2] / 1000)
end

local function beat_of(node) return tonumber(redis.call('HGET', 'gw:nodes', node) or '0') end

-- Whoever asks for something lives, also where its beats have been forgotten (FLUSHALL).
local function comes(node) redis.call('HSETNX', 'gw:nodes', node, string.format('%.0f', now_ms())) end

local function lives(node) return now_ms() - beat_of(node) < LEASE_MS end

-- When the person's last connection to a node other than `except` ended; 0: there is one; nil: nothing is stored.
local function away_since(id, except)
  local held = redis.call('HGETALL', 'gw:person:' .. id)
  local seen = #held > 0 and 1 or nil
  for place = 1, #held, 2 do
    local node = string.match(held[place], '^n:(.*)$')
    if held[place] == 's' then
      seen = math.max(seen, tonumber(held[place + 1]))
    elseif node and node ~= except and held[place + 1] == '1' then
      if lives(node) then return 0 end
      seen = math.max(seen, beat_of(node))
    end
  end
  return seen
end

local function tell_knowing(node, id, json)
  for _, field in ipairs(redis.call('HKEYS', 'gw:person:' .. id)) do
    local other = string.match(field, '^n:(.*)$')
    if other and other ~= node and lives(other) then
      return announce('person', node, '{"type":"person","person":' .. json .. '}')
    end
  end
end

-- node, {id, JSON, when the last connection to this node ended (0: connected, 1: it proves nothing), account} …
function verbs.remember(a)
  local node = a[1]
  comes(node)
  for place = 2, #a, 4 do
    local id, json, seen, account = a[place], a[place + 1], tonumber(a[place + 2]), a[place + 3]
    local key = 'gw:person:' .. id
    if seen == 1 then
      redis.call('DEL', key)
    else
      redis.call('HSET', key, 'p', json, 'a', account, 'n:' .. node, seen == 0 and 1 or 0)
      if seen == 0 then
        redis.call('HDEL', key, 's')
        redis.call('PEXPIRE', key, KEPT_MS)
      elseif away_since(id) ~= 0 then
        redis.call('HSET', key, 's', string.format('%.0f', now_ms()))
        redis.call('PEXPIRE', key, PERSON_MS)
      end
      if account ~= '' then
        redis.call('PERSIST', key)
        redis.call('SET', 'gw:account:' .. account, id)
      end
      tell_knowing(node, id, json)
    end
  end
  return 1
end

local function person(node, id)
  local away = away_since(id)
  if not away then return false end
  local json, account = unpack(redis.call('HMGET', 'gw:person:' .. id, 'p', 'a'))
  if not json or (account == '' and away > 0 and now_ms() - away >= PERSON_MS) then return false end
  redis.call('HSETNX', 'gw:person:' .. id, 'n:' .. node, 0)
  return {json, string.format('%.0f', away)}
end

-- node, id
function verbs.person(a) return person(a[1], a[2]) end

-- node, account
function verbs.person_of(a)
  local id = redis.call('GET', 'gw:account:' .. a[2])
  return id and person(a[1], id)
end

-- code, id
function verbs.keep_code(a)
  redis.call('SET', 'gw:code:' .. a[1], a[2] .. ' ', 'NX', 'PX', KEPT_MS)
  return 1
end

-- id of the call, node, code, own identity: the person that the code proves.
function verbs.use_code(a)
  local key = 'gw:code:' .. a[3]
  local id, by = string.match(redis.call('GET', key) or '', '^(%S+) (%S*)$')
  if not id or id == a[4] or (by ~= '' and by ~= a[1]) then return false end
  local found = person(a[2], id)
  if found and by == '' then
    redis.call('SET', key, id .. ' ' .. a[1], 'PX', 60000)
    announce('code', a[2], cjson.encode({type = 'code', identity = id, code = a[3]}))
  end
  return found
end

-- Whether the one who has a nick still lives, or is not away for long.
local function holds(owner, claimer)
  local node = string.match(owner, '^~([^:]+):')
  if node then return lives(node) end
  local away = away_since(owner)
  if not away then return lives(claimer) end
  return away == 0 or now_ms() - away < NICK_MS
end

local function holder(key) return string.match(redis.call('GET', 'gw:nick:' .. key) or '', '^(%S+) (%S+)$') end

-- node, owner, who had it before, key …: 1, or 0 if somebody else has it.
function verbs.claim(a)
  comes(a[1])
  for place = 4, #a do
    local owner, claimer = holder(a[place])
    if owner and owner ~= a[2] and owner ~= a[3] and holds(owner, claimer) then return 0 end
  end
  for place = 4, #a do redis.call('SET', 'gw:nick:' .. a[place], a[2] .. ' ' .. a[1], 'PX', KEPT_MS) end
  return 1
end

-- node, owner, 1 = only if it is connected to no other node, key …
function verbs.release(a)
  if a[3] == '1' and away_since(a[2], a[1]) == 0 then return 0 end
  for place = 4, #a do
    if holder(a[place]) == a[2] then redis.call('DEL', 'gw:nick:' .. a[place]) end
  end
  return 1
end

-- key …: whether anybody has one of them.
function verbs.held(a)
  for _, key in ipairs(a) do
    local owner, claimer = holder(key)
    if owner and holds(owner, claimer) then return 1 end
  end
  return 0
end

-- key …: who has the first of them that anybody has.
function verbs.holder(a)
  for _, key in ipairs(a) do
    local owner, claimer = holder(key)
    if owner and holds(owner, claimer) then return owner end
  end
  return ''
end

-- key …: the living nodes to which somebody who has one of them is connected.
function verbs.reached(a)
  local found, seen = {}, {}
  local function add(node)
    if lives(node) and not seen[node] then
      found[#found + 1], seen[node] = node, true
    end
  end
  for _, key in ipairs(a) do
    local owner = holder(key)
    local node = owner and string.match(owner, '^~([^:]+):')
    if node then
      add(node)
    elseif owner then
      local held = redis.call('HGETALL', 'gw:person:' .. owner)
      for place = 1, #held, 2 do
        local other = string.match(held[place], '^n:(.*)$')
        if other and held[place + 1] == '1' then add(other) end
      end
    end
  end
  return found
end

-- node, room, count of people there, fact: who is in the room at that node, told to the others.
function verbs.show(a)
  if a[3] == '0' then
    redis.call('HDEL', 'gw:here:' .. a[2], a[1])
    redis.call('HDEL', 'gw:counts', a[1] .. ' ' .. a[2])
  else
    redis.call('HSET', 'gw:here:' .. a[2], a[1], a[4])
    redis.call('HSET', 'gw:counts', a[1] .. ' ' .. a[2], a[3])
  end
  announce('people', a[1], a[4])
  return 1
end

-- node, room: what other nodes that live have shown of the room.
function verbs.shown(a)
  local found = {}
  local held = redis.call('HGETALL', 'gw:here:' .. a[2])
  for place = 1, #held, 2 do
    if not lives(held[place]) then
      redis.call('HDEL', 'gw:here:' .. a[2], held[place])
    elseif held[place] ~= a[1] then
      found[#found + 1] = held[place + 1]
    end
  end
  return found
end

-- node: room and count of each room in which somebody is at another node that lives.
function verbs.counts(a)
  local found, living = {}, {}
  local held = redis.call('HGETALL', 'gw:counts')
  for place = 1, #held, 2 do
    local node, room = string.match(held[place], '^(%S+) (%S+)$')
    if living[node] == nil then living[node] = lives(node) end
    if not living[node] then
      redis.call('HDEL', 'gw:counts', held[place])
    elseif node ~= a[1] then
      found[#found + 1] = room
      found[#found + 1] = held[place + 1]
    end
  end
  return found
end

-- A number that no node has had. Where it was forgotten (FLUSHALL), the beats of those that live bring it back.
function verbs.node_number() return redis.call('INCR', 'gw:node-number') end

-- 1 when every node that lives has told a Redis that has just lost its end, or all, what it knows: its number, and the
-- key that signs the tokens. A node that lives listens on a channel, and channels are not forgotten.
function verbs.settled()
  if redis.call('EXISTS', 'gw:new') == 0 then return 1 end
  for _, channel in ipairs(redis.call('PUBSUB', 'CHANNELS', 'gw:node:*')) do
    local known = redis.call('HEXISTS', 'gw:numbers', string.sub(channel, 9)) == 1
    if not known or redis.call('EXISTS', 'gw:token-key') == 0 then return 0 end
  end
  return 1
end

-- node, its number, its card (empty: not yet): the time now, that of its last beat (0: there was none), the nodes that
-- live, and their cards.
function verbs.beat(a)
  local now = now_ms()
  if tonumber(redis.call('GET', 'gw:node-number') or '0') < tonumber(a[2]) then
    redis.call('SET', 'gw:node-number', a[2])
  end
  redis.call('HSET', 'gw:numbers', a[1], a[2])
  if a[3] ~= '' then redis.call('HSET', 'gw:cards', a[1], a[3]) end
  local last = redis.call('HGET', 'gw:nodes', a[1]) or '0'
  redis.call('HSET', 'gw:nodes', a[1], string.format('%.0f', now))
  if redis.call('HLEN', 'gw:nodes') > 100 then
    local held = redis.call('HGETALL', 'gw:nodes')
    for place = 1, #held, 2 do
      if now - tonumber(held[place + 1]) > KEPT_MS then
        redis.call('HDEL', 'gw:nodes', held[place])
        redis.call('HDEL', 'gw:numbers', held[place])
      end
    end
  end
  local living, cards = {}, {}
  for _, node in ipairs(redis.call('HKEYS', 'gw:nodes')) do
    if lives(node) then living[#living + 1] = node end
  end
  local shown = redis.call('HGETALL', 'gw:cards')
  for place = 1, #shown, 2 do
    if lives(shown[place]) then cards[#cards + 1] = shown[place + 1] else redis.call('HDEL', 'gw:cards', shown[place]) end
  end
  return {string.format('%.0f', now), last, living, cards}
end

-- node: it has stopped, and holds nothing any more.
function verbs.leave(a)
  redis.call('HDEL', 'gw:cards', a[1])
  redis.call('HDEL', 'gw:numbers', a[1])
  return redis.call('HDEL', 'gw:nodes', a[1])
end

-- a new key: the one that is stored.
function verbs.token_key(a)
  redis.call('SET', 'gw:token-key', a[1], 'NX')
  return redis.call('GET', 'gw:token-key')
end

-- the key of the nodes that were there before everything was forgotten: tokens are signed with it.
function verbs.put_key(a)
  redis.call('SET', 'gw:token-key', a[1])
  return 1
end

local function run(_, args)
  local verb, token = table.remove(args, 1), table.remove(args, 1)
  local held = verb ~= 'enter' and string.match(redis.call('GET', 'gw:run') or '', '^%S+ (%S+) ')
  if held ~= false and (held ~= token or entered ~= token) then
    return redis.error_reply('GWRUN this is not the Redis that was entered')
  end
  return verbs[verb](args)
end

-- Three doors to the same verbs: the first is shut when Redis is full, the last is open also when it cannot write.
redis.register_function('@NAME@_store', run)
redis.register_function{function_name = '@NAME@_change', callback = run, flags = {'allow-oom'}}
redis.register_function{function_name = '@NAME@_read', callback = run, flags = {'no-writes'}}

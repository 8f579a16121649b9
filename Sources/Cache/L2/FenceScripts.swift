import Redis

/// The scripts of the snapshot fences; docs/cache.md has the whole picture. Keys come in pairs, the value's and its side
/// hash, which share a slot; callers bound how many a call has, because Redis does nothing else meanwhile.
///
/// The side hash:
/// - `x:<xid8>`: a transaction that wrote the value lately;
/// - `floor`: in place of fences that were removed because their transactions were over, the highest of them;
/// - `since`: transactions up to this one may have fenced the key without a trace;
/// - `whole`: what may have been lost with an earlier hash was made good out of the registry;
/// - `lease`: its end in milliseconds and a token, the right of one process to fill;
/// - `at`: when the value was filled, in milliseconds.
///
/// They live and die together: whoever loses a fence by eviction, expiry or a restart loses the lease and `whole` too.
///
/// A fill leaves the fences where they are. If it removed those that it saw, a value that Redis evicts afterwards could be
/// filled again by a load from a standby that has not seen them.
///
/// Numbers of transactions have 64 bits and Lua's have 53, so they are compared as text: shorter is less, then byte by byte.
enum FenceScripts {
  /// The most keys of one call: about a millisecond of the server.
  static let keysMax = 250

  private static let numbers = """
    local function less(a, b)
      if #a ~= #b then return #a < #b end
      return a < b
    end
    local function raise(hash, field, xid)
      local old = redis.call('HGET', hash, field)
      if not old or less(old, xid) then redis.call('HSET', hash, field, xid) end
    end

    """

  /// Whether a snapshot sees a transaction; `running` is its list as `,7,9,`.
  private static let visibility = """
    local function sees(xid, xmin, xmax, running)
      return less(xid, xmin) or (less(xid, xmax) and not string.find(running, ',' .. xid .. ',', 1, true))
    end

    """

  /// Replaces the fences for which `isOver` by `floor`; returns how many are left and the highest of them.
  private static let prune = """
    local function prune(hash, isOver)
      local gone, floor, left, highest = {}, nil, 0, nil
      for _, field in ipairs(redis.call('HKEYS', hash)) do
        local xid = string.match(field, '^x:(%d+)$')
        if xid and isOver(xid) then
          gone[#gone + 1] = field
          if not floor or less(floor, xid) then floor = xid end
        elseif xid then
          left = left + 1
          if not highest or less(highest, xid) then highest = xid end
        end
      end
      -- In pieces: Lua unpacks at most some 8000 arguments.
      for first = 1, #gone, 1000 do
        redis.call('HDEL', hash, unpack(gone, first, math.min(first + 999, #gone)))
      end
      if floor then raise(hash, 'floor', floor) end
      return left, highest
    end

    """

  /// The life of a side hash never shrinks: an earlier fence may need longer.
  private static let extend = """
    local function extend(hash, life)
      if redis.call('PTTL', hash) < tonumber(life) then redis.call('PEXPIRE', hash, life) end
    end

    """

  /// A transaction is about to fence keys. KEYS: the registry. ARGV: xid8, then xmin, xmax and the running ones of a
  /// snapshot of the primary, how many fields make it worth while to prune, the most fences. Returns 1.
  ///
  /// It prunes when the hash has grown to twice what was left the last time, so that a fence costs the same however many
  /// transactions run. Should more run than the registry may hold, `since` takes the place of all.
  static let register = Script(
    numbers + visibility + prune + """
      local hash = KEYS[1]
      redis.call('HSET', hash, 'x:' .. ARGV[1], 1)
      local room = tonumber(redis.call('HGET', hash, 'room') or ARGV[5])
      if redis.call('HLEN', hash) <= room then return 1 end
      local left, highest = prune(hash, function(xid) return sees(xid, ARGV[2], ARGV[3], ARGV[4]) end)
      if left > tonumber(ARGV[6]) then
        prune(hash, function(xid) return true end)
        raise(hash, 'since', highest)
        left = 0
      end
      redis.call('HSET', hash, 'room', 2 * left + tonumber(ARGV[5]))
      return 1
      """)

  /// A write is about to commit. ARGV: xid8, xmin, xmax, the running ones, milliseconds that a side hash lives, how many
  /// fences are too many. Returns 1.
  static let fence = Script(
    numbers + visibility + prune + extend + """
      for i = 1, #KEYS, 2 do
        local value, side = KEYS[i], KEYS[i + 1]
        redis.call('DEL', value)
        redis.call('HDEL', side, 'lease', 'at')
        redis.call('HSET', side, 'x:' .. ARGV[1], 1)
        if redis.call('HLEN', side) > tonumber(ARGV[6]) then
          prune(side, function(xid) return sees(xid, ARGV[2], ARGV[3], ARGV[4]) end)
        end
        extend(side, ARGV[5])
      end
      return 1
      """)

  /// A write has committed. ARGV: xid8, milliseconds that a side hash lives. Raises anew the fences that have vanished
  /// meanwhile; returns how many.
  static let confirm = Script(
    extend + """
      local raised = 0
      for i = 1, #KEYS, 2 do
        local value, side = KEYS[i], KEYS[i + 1]
        if redis.call('HEXISTS', side, 'x:' .. ARGV[1]) == 0 then
          redis.call('DEL', value)
          redis.call('HDEL', side, 'lease', 'at')
          redis.call('HSET', side, 'x:' .. ARGV[1], 1)
          extend(side, ARGV[2])
          raised = raised + 1
        end
      end
      return raised
      """)

  /// Grants the lease unless another has it: 0 taken, 1 granted, 2 granted although fences may have been lost.
  private static let grant =
    extend + """
      local function grant(side, now, token, life)
        local lease = redis.call('HGET', side, 'lease')
        if lease then
          local expiry = tonumber(string.match(lease, '^(%d+) '))
          -- A clock that was set back would make the lease last: none lasts longer than its life from now.
          if expiry > now and expiry <= now + tonumber(life) then return 0 end
        end
        redis.call('HSET', side, 'lease', string.format('%.0f', now + tonumber(life)) .. ' ' .. token)
        extend(side, life)
        return 2 - redis.call('HEXISTS', side, 'whole')
      end
      local function milliseconds()
        local clock = redis.call('TIME')
        return clock[1] * 1000 + math.floor(clock[2] / 1000)
      end

      """

  /// A read. ARGV: the token of the caller, milliseconds that a lease lives.
  /// Returns {value, milliseconds left}, or {false, what `grant` returned}.
  static let getOrLease = Script(
    grant + """
      -- Deletes nothing. A server that may not be written to refuses it: one that was demoted to a replica, or that
      -- has too few replicas itself, would not hear of fences either, and must not be believed.
      redis.call('HDEL', KEYS[2], '')
      local value = redis.call('GET', KEYS[1])
      if value then return {value, redis.call('PTTL', KEYS[1])} end
      return {false, grant(KEYS[2], milliseconds(), ARGV[1], ARGV[2])}
      """)

  /// Values shall be loaded anew although they may live. ARGV: as above. Returns what `grant` returned, for each pair.
  static let lease = Script(
    grant + """
      local granted, now = {}, milliseconds()
      for i = 2, #KEYS, 2 do granted[#granted + 1] = grant(KEYS[i], now, ARGV[1], ARGV[2]) end
      return granted
      """)

  /// A load has come back. ARGV: token; xmin, xmax, the running ones and 1 for a standby; how many fences are too many;
  /// milliseconds that a side hash lives; out of the registry, read under the lease, for hashes that are not whole: the
  /// highest transaction that the load has seen (empty where no registry was read), `since`, and the transactions that
  /// the load has not seen as `,7,9,`; then for each pair the value and the milliseconds that it lives.
  ///
  /// Returns for each pair 2 when the same value was there already, 1 when it was stored, 0 when the lease is gone, -1
  /// when a fence is not visible to the load.
  static let fill = Script(
    numbers + visibility + prune + extend + """
      local token, xmin, xmax, running, isStandby = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5] == '1'
      local fencesMax, life, floor, since, unseen = tonumber(ARGV[6]), ARGV[7], ARGV[8], ARGV[9], ARGV[10]
      local clock = redis.call('TIME')
      local now = string.format('%.0f', clock[1] * 1000 + math.floor(clock[2] / 1000))
      -- A standby's snapshot does not name what runs: sure is only what is older than all that did.
      local function isSeen(xid)
        if isStandby then return less(xid, xmin) end
        return sees(xid, xmin, xmax, running)
      end
      local function isVisible(side)
        local visible, fences = true, 0
        local fields = redis.call('HGETALL', side)
        for j = 1, #fields, 2 do
          local xid = string.match(fields[j], '^x:(%d+)$')
          if xid then
            fences = fences + 1
            visible = visible and isSeen(xid)
          elseif fields[j] == 'since' or (fields[j] == 'floor' and isStandby) then
            -- A load from the primary began when what `floor` stands for was over.
            visible = visible and less(fields[j + 1], xmin)
          end
        end
        return visible, fences
      end
      local function fill(value, side, text, px)
        local lease = redis.call('HGET', side, 'lease')
        if not lease or string.match(lease, '^%d+ (.*)$') ~= token then return 0 end
        redis.call('HDEL', side, 'lease')
        if redis.call('HEXISTS', side, 'whole') == 0 then
          if floor == '' then return 0 end
          raise(side, 'floor', floor)
          if since ~= '' then raise(side, 'since', since) end
          for xid in string.gmatch(unseen, '%d+') do redis.call('HSET', side, 'x:' .. xid, 1) end
          redis.call('HSET', side, 'whole', 1)
        end
        extend(side, life)
        local visible, fences = isVisible(side)
        if not visible then return -1 end
        if fences > fencesMax then prune(side, isSeen) end
        local old = redis.pcall('SET', value, text, 'PX', px, 'GET')
        -- Another program's list or hash bears the name: it stays.
        if type(old) == 'table' and old.err then return 0 end
        redis.call('HSET', side, 'at', now)
        if old == text then return 2 end
        return 1
      end
      local outcomes = {}
      for i = 1, #KEYS, 2 do
        outcomes[#outcomes + 1] = fill(KEYS[i], KEYS[i + 1], ARGV[10 + i], ARGV[11 + i])
      end
      return outcomes
      """)

  /// The caller will not fill after all. ARGV: token. Returns how many leases were its.
  static let release = Script(
    """
    local released = 0
    for i = 2, #KEYS, 2 do
      local lease = redis.call('HGET', KEYS[i], 'lease')
      if lease and string.match(lease, '^%d+ (.*)$') == ARGV[1] then
        released = released + redis.call('HDEL', KEYS[i], 'lease')
      end
    end
    return released
    """)

  /// Values of doubtful origin are gone from a node. KEYS: the registry. ARGV: its `birth` when that began, a fresh xid8,
  /// the identity of the node's server, the transactions no younger that may have fenced and still run as `7,9`, the most
  /// fences, the fields that record it. Returns 1, or 0 when the registry was lost meanwhile.
  ///
  /// Who reads the registry loads after that, so that only those who still run can be unseen on the primary. A standby may be
  /// behind: `floor` holds it up until it has replayed what was over. Too many fences become one bound, as in `register`.
  static let establish = Script(
    numbers + """
      if redis.call('HGET', KEYS[1], 'birth') ~= ARGV[1] then return 0 end
      local isDone = true
      for i = 6, #ARGV do isDone = isDone and redis.call('HGET', KEYS[1], ARGV[i]) == ARGV[3] end
      -- By another process meanwhile.
      if isDone then return 1 end
      raise(KEYS[1], 'floor', ARGV[2])
      local _, running = string.gsub(ARGV[4], '%d+', '')
      if running > tonumber(ARGV[5]) then
        raise(KEYS[1], 'since', ARGV[2])
      else
        for xid in string.gmatch(ARGV[4], '%d+') do redis.call('HSET', KEYS[1], 'x:' .. xid, 1) end
      end
      for i = 6, #ARGV do redis.call('HSET', KEYS[1], ARGV[i], ARGV[3]) end
      return 1
      """)
}

import Redis

/// The scripts of the snapshot fences. Each takes the value's key and its side key, which share a slot.
///
/// The side hash has a field `x:<xid8>` for each transaction that wrote the value lately, a field `lease` with the
/// token of the one process that may fill, and perhaps `floor`. They live and die together: losing the hash, by
/// eviction or a restart, loses the lease too, and with it the right to fill for whoever was loading.
///
/// A fill leaves the fences where they are until their time is over. If it removed those that it saw, a value that Redis
/// evicts afterwards could be filled again by a load from a standby that has not seen them. When they become many, those
/// that were seen are replaced by one `floor`, which only a load sees for whom all transactions up to it are over.
///
/// Numbers of transactions have 64 bits and Lua's have 53, so they are compared as text: shorter is less, then byte by byte.
enum FenceScripts {
  /// A write is about to commit. ARGV: xid8, milliseconds that the fence lives. Returns 1.
  static let fence = Script(
    """
    redis.call('DEL', KEYS[1])
    redis.call('HDEL', KEYS[2], 'lease')
    redis.call('HSET', KEYS[2], 'x:' .. ARGV[1], 1)
    -- The life never shrinks: an earlier fence may need longer.
    if redis.call('PTTL', KEYS[2]) < tonumber(ARGV[2]) then redis.call('PEXPIRE', KEYS[2], ARGV[2]) end
    return 1
    """)

  /// A read. ARGV: the token of the caller, milliseconds that a lease lives.
  /// Returns {value, milliseconds left}, or {false, 1} with the lease granted, or {false, 0} while another has it.
  static let getOrLease = Script(
    """
    local value = redis.call('GET', KEYS[1])
    if value then return {value, redis.call('PTTL', KEYS[1])} end
    \(grant)
    return {false, grant()}
    """)

  /// A read whose value shall be loaded anew although it lives. ARGV: as above. Returns 1 with the lease granted, or 0.
  static let leaseToRefresh = Script(
    """
    \(grant)
    return grant()
    """)

  /// Grants the lease unless another has it.
  private static let grant = """
    local function grant()
      local clock = redis.call('TIME')
      local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
      local lease = redis.call('HGET', KEYS[2], 'lease')
      if lease then
        local expiry = tonumber(string.match(lease, '^(%d+) '))
        -- A clock that was set back would make the lease last: none lasts longer than its life from now.
        if expiry > now and expiry <= now + tonumber(ARGV[2]) then return 0 end
      end
      redis.call('HSET', KEYS[2], 'lease', string.format('%.0f', now + tonumber(ARGV[2])) .. ' ' .. ARGV[1])
      if redis.call('PTTL', KEYS[2]) < tonumber(ARGV[2]) then redis.call('PEXPIRE', KEYS[2], ARGV[2]) end
      return 1
    end
    """

  /// A load has come back. ARGV: token, value, milliseconds that the value lives, xmin, xmax, the running transactions as
  /// `,7,9,`, 1 for a standby, how many fences are too many, milliseconds that the floor lives. Returns 1 when the value was accepted, 0 when the lease is gone, -1 when a fence is not
  /// visible to the load.
  static let fill = Script(
    """
    local function less(a, b)
      if #a ~= #b then return #a < #b end
      return a < b
    end
    local lease = redis.call('HGET', KEYS[2], 'lease')
    if not lease or string.match(lease, '^%d+ (.*)$') ~= ARGV[1] then return 0 end
    local fences = {}
    local highest = redis.call('HGET', KEYS[2], 'floor')
    local isSeen = not highest or less(highest, ARGV[4])
    highest = highest or '0'
    for _, field in ipairs(redis.call('HKEYS', KEYS[2])) do
      local xid = string.match(field, '^x:(%d+)$')
      if xid then
        isSeen = isSeen and (less(xid, ARGV[4]) or (ARGV[7] == '0' and less(xid, ARGV[5])
          and not string.find(ARGV[6], ',' .. xid .. ',', 1, true)))
        if less(highest, xid) then highest = xid end
        fences[#fences + 1] = field
      end
    end
    redis.call('HDEL', KEYS[2], 'lease')
    if not isSeen then return -1 end
    if #fences > tonumber(ARGV[8]) then
      -- In pieces: Lua unpacks at most some 8000 arguments.
      for first = 1, #fences, 1000 do
        redis.call('HDEL', KEYS[2], unpack(fences, first, math.min(first + 999, #fences)))
      end
      redis.call('HSET', KEYS[2], 'floor', highest)
      redis.call('PEXPIRE', KEYS[2], ARGV[9])
    end
    redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
    return 1
    """)

  /// The caller will not fill after all. ARGV: token. Returns 1 when the lease was its.
  static let release = Script(
    """
    local lease = redis.call('HGET', KEYS[2], 'lease')
    if not lease or string.match(lease, '^%d+ (.*)$') ~= ARGV[1] then return 0 end
    redis.call('HDEL', KEYS[2], 'lease')
    return 1
    """)
}

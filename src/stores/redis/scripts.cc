#include "stores/redis/scripts.h"

#include <fmt/format.h>
#include <openssl/sha.h>

#include <array>

#include "base/encoding.h"
#include "wire/resp/command.h"

namespace holdfast::stores::redis {
namespace {

// The scripts are put together from these pieces. Names in them: k the key; v its version, false or "" for none; live:
// there is a record; c, m its fields hf:c and hf:m; f its first-write; other: the key holds no hash.

// What to do when the key turned out to hold no hash; `s` is the error. A document of RedisJSON has a version like a
// hash. A plain string is a record of an old Dapr and has none, and so is anything else: a condition that wants no
// record must not destroy a list.
constexpr std::string_view kReadOther = R"(
if not string.find(s.err,'WRONGTYPE',1,true) then return s end
v,live,other='',true,true
if redis.call('TYPE',k).ok=='ReJSON-RL' then
local d=redis.pcall('JSON.GET',k,'$.version','$["hf:c"]','$["hf:m"]')
if type(d)=='table' then return d end
d=cjson.decode(d)
local n=d['$.version'][1]
if type(n)=='number' then v=string.format('%.0f',n) else live=false end
c,m=d['$["hf:c"]'][1],d['$["hf:m"]'][1]
if type(c)~='string' or type(m)~='string' then c,m=nil,nil end
end
)";

// The same when the key turned out to hold no document. `d` is the error or the document's members.
constexpr std::string_view kReadDocument = R"(
local d=redis.pcall('JSON.GET',k,'$.version','$["hf:c"]','$["hf:m"]')
local v,live,other,c,m=false,false,false,nil,nil
if type(d)=='table' then
local t=redis.call('TYPE',k).ok
if t=='none' or t=='ReJSON-RL' then return d end
v,live,other='',true,true
if t=='hash' then
local s=redis.call('HMGET',k,'version','hf:c','hf:m')
v,c,m=s[1],s[2],s[3]
live=v and v~=''
end
elseif d then
d=cjson.decode(d)
local n=d['$.version'][1]
if type(n)=='number' then v,live=string.format('%.0f',n),true end
c,m=d['$["hf:c"]'][1],d['$["hf:m"]'][1]
if type(c)~='string' or type(m)~='string' then c,m=nil,nil end
end
)";

// While a slot moves to another node, the old one serves the keys that it still has, also to a script: one that takes a
// key away cannot touch it again, not even to put it back. So what has to do that, because a key changes its type, asks
// first whether the slot moves, and tries again later if so. It asks with a key that nobody has, of the same slot:
// leading zero bytes do not change a CRC that begins with 0, nor what stands in braces. A user who may not touch such a
// key is not told, and goes ahead. `key` is the script's expression.
std::string settled_source(std::string_view key) {
  return fmt::format(R"(
local e=redis.pcall('EXISTS',string.rep('\0',8)..{0})
if type(e)=='table' and e.err and string.find(e.err,'non local key',1,true) then
return {{err='TRYAGAIN The slot moves, and the key changes its type'}}
end
)",
                     key);
}

// Whether hf:m carries the version, so that the record's fields are to be believed. No text is made for it. Both names
// are the script's expressions, of text.
std::string believed_source(std::string_view version, std::string_view fields) {
  return fmt::format("string.find({1},{0},1,true)==1 and string.byte({1},#{0}+1)==58", version, fields);
}

// A save's arguments. What most saves need comes first, and the rest is not sent for them: Lua makes a string and a
// place in a table of each.
constexpr std::string_view kSetArguments = R"(
local k,a=KEYS[1],ARGV
local w,ttl=a[5] or 'a',a[6] or '0'
)";

// The condition of a write. A repeat (capital letter) looks first whether the record, or what Dapr made of it since,
// still carries the tail of the first try: then its outcome is told again.
constexpr std::string_view kJudgeWrite = R"(
if w~='a' then
local again=string.byte(w)<97
if again then
w=string.lower(w)
local e=m and string.find(m,':',1,true)
local tail=e and string.sub(m,e+1)
if tail==a[2] or tail==a[2]..'+' then
return string.sub(m,1,e-1)..(tail==a[2] and ' 0 ' or ' 1 ')..string.format('%.0f',redis.call('PTTL',k))..' '..(c or '')
end
end
local ok=true
if w=='o' or w=='l' then
ok=not live and w=='l'
if live then for i=7,#a do if a[i]==v then ok=true break end end end
elseif w=='n' then ok=not live
elseif w=='p' then ok=live end
if again and not (ok and live and (w=='o' or w=='l')) then return {2,v or ''} end
if not ok then return {0,v or ''} end
end
)";

// The next version n of a record whose version is `version`: one more or the writer's clock in microseconds, whichever
// is larger; for a fresh key the server's time. So no etag of an earlier record under this key comes back, and two
// primaries that both take writes for a moment, in a fail-over, do not count up to the same one. Versions beyond 2^53
// would lose digits, so they start afresh too. Numbers are printed by %.0f: Lua's own way turns to exponents. Where the
// clock is ahead, which is nearly always, digits are compared as text and no number is made. Both names are the
// script's expressions, of text or nil.
std::string next_version_source(std::string_view version, std::string_view clock) {
  return fmt::format(R"(
local n,x={0},{1}
if n and x and #n==16 and #x==16 and x>n then
n=x
else
n=tonumber(n)
if n and n>=0 and n<9007199254740991 then
n=string.format('%.0f',math.max(n+1,tonumber(x) or 0))
else
local t=redis.call('TIME')
n=t[1]..string.format('%06d',t[2])
end
end
)",
                     version, clock);
}

// The record stays the one that was created as long as its fields are believed. A + at the end of hf:m says that this
// write made the record.
std::string fields_source() {
  return fmt::format(R"(
local kept=live and c and m and {}
if not kept then c=a[3] end
m=n..':'..a[2]..(live and '' or '+')
)",
                     believed_source("v", "m"));
}

// The time to live is 0 for none, or "k" to keep what there is. A hash keeps it by itself; RedisJSON, and replacing a
// key, drop it. Then it is set again as the moment that it is, because a time to live that is read and set again would
// grow by the time in between. Servers before version 7 do not tell the moment, and a user may not be allowed to ask.
// `ttl` and `live` are the script's expressions for it and for whether there is a record.
std::string left_source(std::string_view ttl, std::string_view live) {
  return fmt::format(R"(
local left,moment=0,false
if {0}=='k' and {1} then
left=redis.call('PTTL',k)
moment=redis.pcall('PEXPIRETIME',k)
end
)",
                     ttl, live);
}

// After the write; `dropped`: it took the time to live with it.
std::string expire_source(std::string_view ttl) {
  return fmt::format(R"(
if {0}~='k' then
if {0}=='0' then redis.call('PERSIST',k) else redis.call('PEXPIRE',k,{0}) end
elseif dropped and left>0 then
if type(moment)~='number' or type(redis.pcall('PEXPIREAT',k,moment))~='number' then redis.call('PEXPIRE',k,left) end
end
)",
                     ttl);
}

// Before the record is written, so that a set that cannot take it is told while nothing is done yet.
constexpr std::string_view kIndex = "for i=2,#KEYS do redis.call('ZADD',KEYS[i],0,k) end\n";

// One text instead of a table: every element of it would be made twice.
constexpr std::string_view kWritten = R"(
if left~=0 then left=string.format('%.0f',left) end
return n..(live and ' 0 ' or ' 1 ')..left..' '..c
)";

// A record with fields to be believed was written by us last, which took first-write away.
std::string set_hash_source() {
  std::string lua(kSetArguments);
  lua += R"(
local s=redis.pcall('HMGET',k,'version','hf:c','hf:m')
local v,c,m=s[1],s[2],s[3]
local live,other=v and v~='',false
if s.err then
)";
  lua += kReadOther;
  lua += "end\n";
  lua += kJudgeWrite;
  lua += next_version_source("v", "a[4]");
  lua += fields_source();
  lua += left_source("ttl", "live");
  lua += "if other then\n" + settled_source("k") + "end\n";
  lua += kIndex;
  lua += R"(
local dropped=other
if other then redis.call('UNLINK',k) kept=false end
if kept then redis.call('HSET',k,'data',a[1],'version',n,'hf:m',m)
else
redis.call('HSET',k,'data',a[1],'version',n,'hf:m',m,'hf:c',c)
if v then redis.call('HDEL',k,'first-write') end
end
)";
  lua += expire_source("ttl");
  lua += kWritten;
  return lua;
}

// RedisJSON may refuse a document that we thought well-formed (nesting, numbers beyond its range), and cannot replace a
// key of another type: such a key is put back when the document is refused.
std::string set_json_source() {
  std::string lua(kSetArguments);
  lua += kReadDocument;
  lua += kJudgeWrite;
  lua += next_version_source("v", "a[4]");
  lua += fields_source();
  lua += left_source("ttl", "live");
  lua += "if other then\n" + settled_source("k") + "end\n";
  lua += kIndex;
  lua += R"(
local dropped=true
local dump,rest
if other then
dump,rest=redis.call('DUMP',k),redis.call('PTTL',k)
redis.call('UNLINK',k)
end
local r=redis.pcall('JSON.SET',k,'$','{"data":'..a[1]..',"version":'..n..',"hf:c":'..cjson.encode(c)..
',"hf:m":'..cjson.encode(m)..'}')
if r.err then
if dump then redis.call('RESTORE',k,rest>0 and rest or 0,dump) end
return r
end
)";
  lua += expire_source("ttl");
  lua += kWritten;
  return lua;
}

std::string erase_source() {
  std::string lua = R"(
local k,a=KEYS[1],ARGV
local s=redis.pcall('HGET',k,'version')
local v,live,other,c,m=s,s and s~='',false,nil,nil
if type(s)=='table' then
)";
  lua += kReadOther;
  lua += R"(
end
local w=a[1]
local ok=true
if w=='o' or w=='l' then
ok=not live and w=='l'
if live then for i=2,#a do if a[i]==v then ok=true break end end end
elseif w=='n' then ok=not live
elseif w=='p' then ok=live end
if not ok then return {0,v or ''} end
if not live then return {1,0} end
return {1,redis.call('UNLINK',k)}
)";
  return lua;
}

// First every condition against the state before, then every write in order. What may fail in between is only
// JSON.SET (see above): where a transaction has documents, all its keys are saved first and put back then. A key is
// taken away at the very end, and only if no later operation writes it.
std::string transaction_source() {
  std::string lua = R"(
local a,states,ops,documents,last,types=ARGV,{},{},false,{},{}
local function read(k)
local s=redis.pcall('HMGET',k,'version','first-write','hf:c','hf:m')
local v,f,c,m=s[1],s[2],s[3],s[4]
local live,other=v and v~='',false
if s.err then
)";
  lua += kReadOther;
  lua += R"(
end
local t=v and 'h'
if other then t=redis.call('TYPE',k).ok=='ReJSON-RL' and 'j' or 'o' end
return {v=v,f=f,c=c,m=m,live=live,t=t}
end
local function changes(t,kind) return t~=kind and (t or kind=='j') end
local p=1
while p<=#a do
local kind,i,w,count=a[p],tonumber(a[p+1]),a[p+2],tonumber(a[p+3])
local s=states[i]
if not s then
s=read(KEYS[i])
if s.err then return s end
states[i]=s
types[i]=s.t
end
if w~='a' then
local ok=true
if w=='o' or w=='l' then
ok=not s.live and w=='l'
if s.live then for e=p+4,p+3+count do if a[e]==s.v then ok=true break end end end
elseif w=='n' then ok=not s.live
elseif w=='p' then ok=s.live end
if not ok then return {0,#ops,s.v or ''} end
end
ops[#ops+1]={kind,i,p+4+count}
if kind~='c' then last[i]=#ops end
p=p+4+count
if kind=='h' or kind=='j' then
p=p+5+tonumber(a[p+4])
if changes(types[i],kind) then
)";
  lua += settled_source("KEYS[i]");
  lua += R"(
end
types[i]=kind
end
documents=documents or kind=='j'
end
for _,op in ipairs(ops) do
local p=op[3]
if op[1]=='h' or op[1]=='j' then
for x=p+5,p+4+tonumber(a[p+4]) do redis.call('ZADD',KEYS[tonumber(a[x])],0,KEYS[op[2]]) end
end
end
local saved={}
if documents then
for i in pairs(states) do saved[i]={redis.call('DUMP',KEYS[i]),redis.call('PTTL',KEYS[i])} end
end
local out,gone={1},{}
for at,op in ipairs(ops) do
local kind,i,p=op[1],op[2],op[3]
local k,s=KEYS[i],states[i]
local version,flag,fields,rest='',0,'',0
if kind=='d' then
flag=s.live and 1 or 0
if last[i]==at then gone[#gone+1]=k end
states[i]={v=false,f=s.f,live=false,t=s.t,away=true}
elseif kind~='c' then
)";
  lua += next_version_source("s.v", "string.match(a[p+2],'^.:(%d+)')");
  lua += R"(
local c=s.c
if not (s.live and c and s.m and )";
  lua += believed_source("s.v", "s.m");
  lua += R"() then c=a[p+3] end
local m=n..':'..a[p+2]
local ttl=s.away and a[p+1]=='k' and '0' or a[p+1]
)";
  lua += left_source("ttl", "s.live");
  lua += R"(
local dropped=kind=='j'
if changes(s.t,kind) then
dropped=true
redis.call('UNLINK',k)
end
if kind=='h' then
redis.call('HSET',k,'data',a[p],'version',n,'hf:m',m,'hf:c',c)
if s.f then redis.call('HDEL',k,'first-write') end
else
local r=redis.pcall('JSON.SET',k,'$','{"data":'..a[p]..',"version":'..n..',"hf:c":'..cjson.encode(c)..
',"hf:m":'..cjson.encode(m)..'}')
if r.err then
for x,old in pairs(saved) do
if old[1] then redis.call('RESTORE',KEYS[x],old[2]>0 and old[2] or 0,old[1],'REPLACE') else redis.call('UNLINK',KEYS[x]) end
end
return r
end
end
)";
  lua += expire_source("ttl");
  lua += R"(
version,flag,fields,rest=n,s.live and 0 or 1,c,left
states[i]={v=n,c=c,m=m,live=true,t=kind}
end
out[#out+1]=version
out[#out+1]=flag
out[#out+1]=fields
out[#out+1]=rest
end
for _,k in ipairs(gone) do redis.call('UNLINK',k) end
return out
)";
  return lua;
}

// A record may have been written with the entry since somebody read it: so it is looked at once more, in the same step.
std::string forget_source() {
  std::string lua = R"(
local gone=0
for i=2,#KEYS do
local k=KEYS[i]
local s=redis.pcall('HMGET',k,'version','hf:m')
local v,m=s[1],s[2]
local live,other,c=true,false,nil
if s.err then
)";
  lua += kReadOther;
  lua += R"(
end
if not (v and m and )";
  lua += believed_source("v", "m");
  lua += R"( and string.find(m,ARGV[1],1,true)) then
gone=gone+redis.call('ZREM',KEYS[1],k)
end
end
return gone
)";
  return lua;
}

// Lua keeps the script's text: a blank line is a byte for nothing.
std::string without_blank_lines(std::string_view source) {
  std::string out;
  for (const char c : source)
    if (c != '\n' || (!out.empty() && out.back() != '\n')) out += c;
  return out;
}

Script make(std::string_view source) {
  Script script{without_blank_lines(source), {}};
  std::array<unsigned char, SHA_DIGEST_LENGTH> digest{};
  SHA1(reinterpret_cast<const unsigned char*>(script.source.data()), script.source.size(), digest.data());
  script.sha1 = hex_encode({reinterpret_cast<const char*>(digest.data()), digest.size()});
  return script;
}

}  // namespace

const Script& set_hash_script() {
  static const Script script = make(set_hash_source());
  return script;
}

const Script& set_json_script() {
  static const Script script = make(set_json_source());
  return script;
}

const Script& erase_script() {
  static const Script script = make(erase_source());
  return script;
}

const Script& transaction_script() {
  static const Script script = make(transaction_source());
  return script;
}

const Script& forget_script() {
  static const Script script = make(forget_source());
  return script;
}

char letter(When when, bool is_repeat) {
  const char lower = static_cast<char>(when);
  return is_repeat ? static_cast<char>(lower - 'a' + 'A') : lower;
}

void begin_script(std::string& out, const Script& script, Sending sending, std::size_t keys, std::size_t arguments) {
  resp::begin_command(out, 3 + keys + arguments);
  resp::append_argument(out, sending == Sending::by_hash ? "EVALSHA" : "EVAL");
  resp::append_argument(out, sending == Sending::by_hash ? script.sha1 : script.source);
  resp::append_argument(out, static_cast<std::int64_t>(keys));
}

void append_script_load(std::string& out, const Script& script) {
  resp::append_command(out, {"SCRIPT", "LOAD", script.source});
}

}  // namespace holdfast::stores::redis

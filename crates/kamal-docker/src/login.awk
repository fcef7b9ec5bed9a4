# Puts one registry's entry into docker's config.json. The first file holds the entry in one line, the second the
# configuration; the new one is printed. Where a credential helper is configured for the registry, nothing is printed
# and the helper's name is written to the file ENVIRON["kamal_helper"].
function begins() { if (depth == 2 && name[1] == "\"auths\"" && name[2] == key) from = at }
function ends(after) { if (depth == 2 && from && !to) to = after }
NR == 1 { entry = $0; next }
{ text = text $0 "\n" }
END {
  key = "\"" ENVIRON["kamal_key"] "\""
  for (rest = text; rest != ""; rest = substr(rest, n + 1)) {
    c = substr(rest, 1, 1); n = 1
    if (match(rest, /^[ \t\r\n]+/)) n = RLENGTH
    else if (c == "{" || c == "[") {
      begins()
      if (depth == 0 && c == "{") root = at + 2
      if (depth == 1 && c == "{" && name[1] == "\"auths\"") auths = at + 2
      depth++; kind[depth] = c; named[depth] = 0; filled[depth] = 0
    } else if (c == "}" || c == "]") {
      if (depth == 1) more_in_root = filled[1]
      if (depth == 2 && name[1] == "\"auths\"") more_in_auths = filled[2]
      if (--depth < 0) exit 1
      ends(at + 1)
    } else if (c == ",") named[depth] = 0
    else if (c == ":") named[depth] = 1
    else if (c == "\"") {
      if (!match(rest, /^"([^"\\]|\\.)*"/)) exit 1
      n = RLENGTH; token = substr(rest, 1, n); filled[depth] = 1
      if (kind[depth] == "{" && !named[depth]) name[depth] = token
      else {
        begins(); ends(at + n)
        if (depth == 1 && name[1] == "\"credsStore\"") store = token
        if (depth == 2 && name[1] == "\"credHelpers\"" && name[2] == key) helper = token
      }
    } else {
      if (!match(rest, /^[-+.0-9A-Za-z]+/)) exit 1
      n = RLENGTH; filled[depth] = 1; begins(); ends(at + n)
    }
    at += n
  }
  if (depth != 0 || (text ~ /[^ \t\r\n]/ && !root)) exit 1
  if (helper == "") helper = store
  gsub(/"/, "", helper)
  if (helper != "") { print helper > ENVIRON["kamal_helper"]; exit }
  pair = key ": " entry
  if (!root) print "{\"auths\": {" pair "}}"
  else if (from) print substr(text, 1, from) entry substr(text, to + 1)
  else if (auths) print substr(text, 1, auths - 1) pair (more_in_auths ? ", " : "") substr(text, auths)
  else print substr(text, 1, root - 1) "\"auths\": {" pair "}" (more_in_root ? ", " : "") substr(text, root)
}

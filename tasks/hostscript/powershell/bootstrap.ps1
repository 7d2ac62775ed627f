# What a worker's command line carries: reads script and data from standard input, and nothing beyond them.
# Cut short anywhere, nothing of it runs.
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
$stream = [Console]::OpenStandardInput()
function Read-Exactly([int]$count) {
  $bytes = New-Object byte[] $count
  $at = 0
  while ($at -lt $count) {
    $read = $stream.Read($bytes, $at, $count - $at)
    if ($read -le 0) { [Console]::Error.WriteLine('longshore: the input ended early'); exit 69 }
    $at += $read
  }
  , $bytes
}
$header = ''
while (-not $header.EndsWith("`n")) { $header += [char](Read-Exactly 1)[0] }
$words = $header.Trim().Split(' ')
if ($words[0] -ne 'longshore') { [Console]::Error.WriteLine('longshore: not a host script'); exit 69 }
$text = [Text.Encoding]::UTF8.GetString((Read-Exactly ([int]$words[1])))
$data = [Text.Encoding]::UTF8.GetString((Read-Exactly ([int]$words[2])))
. ([ScriptBlock]::Create($text))
Invoke-Mode $text $data $stream

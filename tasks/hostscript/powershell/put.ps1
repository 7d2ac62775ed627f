# Mode put: receives an upload for a step. What an earlier try has brought is kept, and only the rest is asked for.

function Receive-Rest($file, [long]$size) {
  $buffer = New-Object byte[] 262144
  while ($file.Length -lt $size) {
    $want = [int][Math]::Min([long]$buffer.Length, $size - $file.Length)
    $read = $Ls.input.Read($buffer, 0, $want)
    if ($read -le 0) { exit 69 }
    $file.Write($buffer, 0, $read)
  }
}

# An earlier try may still wait for input that nobody sends: its shell outlives a lost connection by minutes, and it keeps the
# file to itself.
function Stop-Earlier([string]$holder) {
  if ([IO.File]::Exists($holder)) {
    $words = [IO.File]::ReadAllText($holder).Split(' ')
    if ($words.Count -eq 2) { [void](Stop-Tree ([int]$words[0]) ([long]$words[1]) 10) }
  }
  [IO.File]::WriteAllText($holder, "$PID $(Get-StartOf (Get-Process -Id $PID))")
}

function Invoke-Put {
  Enter-Run
  $size = [long]$Ls.data.size
  $place = Get-RunFile "uploads\$($Ls.data.name)"
  $part = "$place.$($Ls.data.sha256.Substring(0, 16)).part"
  try {
    [void][IO.Directory]::CreateDirectory((Get-RunFile 'uploads'))
    Stop-Earlier "$place.holder"
    $file = New-Object IO.FileStream $part, 'OpenOrCreate', 'ReadWrite', 'Read'
    try {
      if ($file.Length -gt $size) { $file.SetLength(0) }
      [void]$file.Seek(0, 'End')
      Write-Control "have $($file.Length)"
      Receive-Rest $file $size
    } finally { $file.Dispose() }
    $found = Get-Sha256 $part
    if ($found -ne $Ls.data.sha256) {
      [IO.File]::Delete($part)
      Exit-Saying 69 "fail checksum the upload arrived as $found, expected $($Ls.data.sha256)"
    }
    [IO.File]::WriteAllText("$place.sum", $found)
    [IO.File]::Delete($place)
    [IO.File]::Move($part, $place)
  } catch { Exit-Unwritable $_.Exception }
  Exit-Saying 0 "put $($Ls.data.name)"
}

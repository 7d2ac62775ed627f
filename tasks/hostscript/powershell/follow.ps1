# Mode attach, and the following of a log.

function Open-Log {
  New-Object IO.FileStream (Get-RunFile 'log'), 'Open', 'Read', 'ReadWrite, Delete'
}

# The log from its byte $Ls.data.offset on, until the run is over or its runner is gone.
function Write-Log([bool]$follow) {
  $log = Open-Log
  $buffer = New-Object byte[] 65536
  [void]$log.Seek([long]$Ls.data.offset, 'Begin')
  for ($look = 1; ; $look++) {
    # Asked before reading: what was written before the end is read after it.
    $over = (-not $follow) -or [IO.File]::Exists((Get-RunFile 'finish'))
    if ((-not $over) -and ($look % 20 -eq 0)) { $over = -not (Test-Alive $Ls.runner $Ls.started) }
    # Each piece costs the worker a request: what comes within half a second is one, and the end waits for nobody.
    if ($over -or ($look % 5 -eq 1)) {
      while (($read = $log.Read($buffer, 0, $buffer.Length)) -gt 0) {
        $Ls.output.Write($buffer, 0, $read)
        $Ls.output.Flush()
      }
    }
    if ($over) { break }
    Start-Sleep -Milliseconds 100
  }
  $log.Dispose()
}

# A run that has begun, or that this mode doesn't begin: how it stands, and its log.
function Write-Begun {
  Write-State
  if ([IO.File]::Exists((Get-RunFile 'log'))) { Write-Log ($Ls.state -eq 'running') }
  exit 0
}

function Invoke-Attach {
  Enter-Run
  Set-State
  Write-Begun
}

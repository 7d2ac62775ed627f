# How a run stands.

# Sets $Ls.state to it, and attempt, runner, started, size and word of its newest attempt.
function Set-State {
  $Ls.state = 'new'
  $Ls.word = ''
  $Ls.size = [long]0
  $Ls.attempt = [long](@(0) + @(Get-Numbers 'go.*') | Measure-Object -Maximum).Maximum
  if ($Ls.attempt -eq 0) { return }
  $words = [IO.File]::ReadAllText((Get-RunFile "go.$($Ls.attempt)")).Trim().Split(' ')
  $finish = Get-RunFile 'finish'
  if ($words[0] -eq 'cancelled') { $Ls.state = 'cancelled' } else {
    $Ls.runner = [int]$words[0]
    $Ls.started = [long]$words[1]
    if ([IO.File]::Exists($finish)) { $Ls.state = 'finished' }
    elseif (Test-Alive $Ls.runner $Ls.started) { $Ls.state = 'running' }
    elseif ([IO.File]::Exists($finish)) { $Ls.state = 'finished' }
    else { Set-Gone }
  }
  $log = New-Object IO.FileInfo (Get-RunFile 'log')
  if ($log.Exists) { $Ls.size = $log.Length }
}

# The runner is dead and left no finish: why, and whether anything of it still runs.
function Set-Gone {
  $Ls.state = 'gone'
  $booted = [DateTime]::UtcNow.AddSeconds(-[Diagnostics.Stopwatch]::GetTimestamp() / [Diagnostics.Stopwatch]::Frequency)
  if ($Ls.started -lt $booted.AddSeconds(-5).ToFileTimeUtc()) { $Ls.word = 'rebooted'; return }
  $orphans = @(Get-Tree $Ls.runner $Ls.started)
  $Ls.word = 'killed'
  if ($orphans.Count -gt 0) { $Ls.word = "orphans $($orphans -join ' ')" }
}

function Write-State { Write-Control "status $($Ls.state) $($Ls.size) $($Ls.word)" }

function Invoke-Probe {
  Set-Places
  if (-not [IO.Directory]::Exists($Ls.dir)) { Exit-Saying 0 'status new 0' }
  Set-State
  Write-State
}

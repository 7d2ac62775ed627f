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
  if (Test-Rebooted $Ls.started) { $Ls.word = 'rebooted'; return }
  $known = @{}
  $known[[int]$Ls.runner] = [long]$Ls.started
  $orphans = @(Get-Tree $known)
  $Ls.word = 'killed'
  if ($orphans.Count -gt 0) { $Ls.word = "orphans $($orphans -join ' ')" }
}

# Whether the machine was started after this moment. What is reckoned from a clock or a counter can be wrong: clocks are set,
# and the counter of a virtual machine may run on over a restart. The start of the oldest process stays what it was.
function Test-Rebooted([long]$start) {
  $booted = (Get-CimInstance Win32_OperatingSystem -Property LastBootUpTime).LastBootUpTime.ToFileTimeUtc()
  $oldest = (Get-CimInstance Win32_Process -Filter 'ProcessId > 4' -Property CreationDate |
      Where-Object { $null -ne $_.CreationDate } | ForEach-Object { $_.CreationDate.ToFileTimeUtc() } |
      Measure-Object -Minimum).Minimum
  ($start -lt ($booted - 50000000)) -and ($start -lt $oldest)
}

function Write-State { Write-Control "status $($Ls.state) $($Ls.size) $($Ls.word)" }

function Invoke-Probe {
  Set-Places
  if (-not [IO.Directory]::Exists($Ls.dir)) { Exit-Saying 0 'status new 0' }
  Set-State
  Write-State
}

# The runner: a process of its own that carries out the steps one after the other and writes what happens to the log.

function Invoke-Runner([string]$text, [string]$json, [string]$variables, $pipe) {
  # What WMI starts has the system's variables, not those of the login.
  foreach ($each in @(ConvertFrom-Json $variables)) { Set-Variables $each }
  Set-Shared $text $json (ConvertFrom-Json $json)
  Set-Places
  $answer = Get-Answer
  try {
    $bytes = $Ls.utf8.GetBytes("$(ConvertTo-Line $answer)`n")
    $pipe.Write($bytes, 0, $bytes.Length)
    $pipe.WaitForPipeDrain()
    $pipe.Dispose()
  } catch [IO.IOException] {
    # The driver is gone; the claim stands, and whoever comes next follows this runner.
    [void]$_
  }
  if ($answer -ne 'claimed') { exit 0 }
  try {
    Set-Variables $Ls.data.environment
    Invoke-Steps
  } catch {
    # Nobody sees what this process prints.
    try { Add-Line "the runner broke off: $(ConvertTo-Line $_.Exception.Message)" } catch { [void]$_ }
    [Environment]::Exit(70)
  }
  try { Remove-OldRuns } catch { [void]$_ }
  # A step of ours that hangs in a thread ends with the process.
  [Environment]::Exit(0)
}

function Set-Variables($all) {
  foreach ($each in @($all)) { [Environment]::SetEnvironmentVariable($each.name, $each.value, 'Process') }
}

# Becomes the one runner of this attempt: claimed, lost, "busy RUN" or "fail CAUSE DETAIL".
function Get-Answer {
  try {
    Set-State
    $me = "$PID $(Get-StartOf (Get-Process -Id $PID))"
    if (@('new', 'gone') -notcontains $Ls.state) { return 'lost' }
    # Without a buffer: what a full disk has refused must not stand before the next line.
    $Ls.log = New-Object IO.FileStream (Get-RunFile 'log'), 'Append', 'Write', 'ReadWrite, Delete', 1
    # Space that is given back when the disk is full, so that this can still be said.
    [IO.File]::WriteAllText((Get-RunFile 'reserve'), (' ' * 65536))
    $busy = Get-Guard $me
    if ($busy -ne '') { return $busy }
    $next = $Ls.attempt + 1
    if (-not (New-Claim (Get-RunFile "go.$next") $me)) { return 'lost' }
    if ([IO.File]::Exists((Get-RunFile 'cancel')) -or [IO.File]::Exists((Get-RunFile "go.$($next + 1)"))) { return 'lost' }
    $Ls.attempt = $next
    return 'claimed'
  } catch {
    $cause = if (Test-DiskFull $_.Exception) { 'disk_full' } else { 'workdir' }
    return "fail $cause $($_.Exception.Message)"
  }
}

# One run at a time under a work directory: the holder is the newest active.N, while it is alive and not finished. A number
# is taken by creating its file; whoever then isn't the newest has lost.
function Get-Guard([string]$me) {
  while ($true) {
    $newest = [long](@(0) + @(Get-ActiveNumbers) | Measure-Object -Maximum).Maximum
    if ($newest -gt 0) {
      $words = [IO.File]::ReadAllText([IO.Path]::Combine($Ls.work, "active.$newest")).Trim().Split(' ')
      $over = [IO.File]::Exists([IO.Path]::Combine($Ls.work, "runs\$($words[0])\finish"))
      if ((-not $over) -and (Test-Alive ([int]$words[1]) ([long]$words[2]))) {
        if ($words[0] -eq $Ls.data.run) { return 'lost' }
        return "busy $($words[0])"
      }
    }
    $mine = [IO.Path]::Combine($Ls.work, "active.$($newest + 1)")
    if (-not (New-Claim $mine "$($Ls.data.run) $me")) { continue }
    $numbers = @(Get-ActiveNumbers | Sort-Object)
    if ($numbers[-1] -ne ($newest + 1)) { continue }
    if ($numbers.Count -gt 40) {
      foreach ($each in $numbers[0..($numbers.Count - 2)]) { [IO.File]::Delete([IO.Path]::Combine($Ls.work, "active.$each")) }
    }
    return ''
  }
}

function Get-ActiveNumbers {
  $names = [IO.Directory]::GetFiles($Ls.work, 'active.*')
  @($names | Where-Object { $_ -match '\.[0-9]+$' } | ForEach-Object { [long]($_ -replace '^.*\.', '') })
}

function Add-Output([byte[]]$bytes, [int]$count) {
  $Ls.log.Write($bytes, 0, $count)
  $Ls.log.Flush()
}

function Add-Line([string]$line) {
  $bytes = $Ls.utf8.GetBytes("$line`n")
  Add-Output $bytes $bytes.Length
}

# A control line into the log; on a full disk, after giving back what was kept in reserve.
function Add-Control([string]$line) {
  $bytes = $Ls.utf8.GetBytes("`n$($Ls.data.marker) $(ConvertTo-Line $line)`n")
  try { Add-Output $bytes $bytes.Length } catch {
    if (-not (Test-DiskFull $_.Exception)) { throw }
    [IO.File]::WriteAllText((Get-RunFile 'reserve'), '')
    $said = $Ls.utf8.GetBytes("`n$($Ls.data.marker) cause $($Ls.index) disk_full no space left in $($Ls.dir)`n")
    Add-Output $said $said.Length
    Add-Output $bytes $bytes.Length
  }
}

# Names the cause of the step's failure; it is printed too.
function Set-Cause([string]$cause, [string]$detail) {
  $line = ConvertTo-Line $detail
  # On a full disk something is kept for the control line alone.
  try { Add-Line $line } catch { if (-not (Test-DiskFull $_.Exception)) { throw } }
  Add-Control "cause $($Ls.index) $cause $line"
}

# A field of a step: texts and names of variables by turns, so that a secret stands in none.
function Join-Parts($parts) {
  $text = ''
  $turn = 0
  foreach ($part in @($parts)) {
    $text += if ($turn % 2 -eq 0) { $part } else { [Environment]::GetEnvironmentVariable($part) }
    $turn++
  }
  $text
}

function Resolve-Place([string]$path) { [IO.Path]::GetFullPath([IO.Path]::Combine($Ls.directory, $path)) }

function Invoke-Steps {
  $code = 0
  foreach ($step in @($Ls.data.steps)) {
    if ($step.index -lt $Ls.data.first_step) { continue }
    $Ls.index = $step.index
    Add-Control "start $($step.index) $(Get-Uptime)"
    $Ls.deadline = [Diagnostics.Stopwatch]::StartNew()
    $Ls.limit = [double]$step.timeout
    $Ls.timed_out = $false
    $Ls.stuck = $false
    $exit = Invoke-Step $step
    $late = if ($Ls.timed_out) { ' timeout' } else { '' }
    Add-Control "end $($step.index) $(Get-Uptime) $exit$late"
    if (($exit -ne 0) -and ((-not $step.keep_going) -or $Ls.stuck)) {
      $code = $exit
      break
    }
  }
  Add-Control "finish $(Get-Uptime) $code"
  # After the line: whoever finds the file finds the line.
  [void](New-Claim (Get-RunFile 'finish') "$code")
}

function Invoke-Step($step) {
  $before = @{}
  $variables = @($step.environment)
  try {
    foreach ($each in $variables) {
      $before[$each.name] = [Environment]::GetEnvironmentVariable($each.name)
      [Environment]::SetEnvironmentVariable($each.name, (Join-Parts $each.parts), 'Process')
    }
    $Ls.directory = $env:USERPROFILE
    if ($null -ne $step.directory) { $Ls.directory = Resolve-Place (Join-Parts $step.directory) }
    if (-not [IO.Directory]::Exists($Ls.directory)) {
      Add-Line "there is no folder $($Ls.directory)"
      return 1
    }
    if ($null -ne $step.when) {
      $exit = Test-When $step
      if ($exit -ne 0) { return $exit }
      if ($Ls.skipped) { return 0 }
    }
    if ($step.kind -eq 'run') { return Invoke-Text $step.shell $step.command 'step' }
    return Invoke-InThread $step
  } catch {
    if (Test-DiskFull $_.Exception) { Set-Cause 'disk_full' $_.Exception.Message } else { Add-Line (ConvertTo-Line $_.Exception.Message) }
    return 1
  } finally {
    foreach ($name in $before.Keys) { [Environment]::SetEnvironmentVariable($name, $before[$name], 'Process') }
  }
}

# An action of ours, in a thread that can be given up when its time is over.
function Invoke-InThread($step) {
  $shell = [PowerShell]::Create()
  [void]$shell.AddScript($Ls.text + "`n`$Ls = `$args[0]`nInvoke-Action `$args[1]").AddArgument($Ls).AddArgument($step)
  $under_way = $shell.BeginInvoke()
  $left = [Math]::Max(0, $Ls.limit - $Ls.deadline.Elapsed.TotalSeconds)
  if (-not $under_way.AsyncWaitHandle.WaitOne([int][Math]::Min([int]::MaxValue, $left * 1000))) {
    $Ls.timed_out = $true
    $stopping = $shell.BeginStop($null, $null)
    # So long as it takes to end what a check has started.
    $Ls.stuck = -not $stopping.AsyncWaitHandle.WaitOne(15000)
    return 124
  }
  $given = @($shell.EndInvoke($under_way))
  $shell.Dispose()
  if ($given.Count -eq 0) { throw 'the action said nothing' }
  [int]$given[-1]
}

# 0 leaves the choice to Windows, TLS 1.3 among it; older frameworks offer SSL 3 and TLS 1.0 alone.
function Enable-Tls12 {
  $offered = [Net.ServicePointManager]::SecurityProtocol
  if ([int]$offered -ne 0) { [Net.ServicePointManager]::SecurityProtocol = $offered -bor [Net.SecurityProtocolType]::Tls12 }
}

function Invoke-Action($step) {
  try {
    switch ($step.kind) {
      'fetch' { return Invoke-Fetch $step.fields }
      'upload' { return Invoke-Install $step.fields }
      'unpack' { return Invoke-Unpack $step.fields }
      'link' { return Invoke-Link $step.fields }
      'service' { return Invoke-Service $step.fields }
      'check' { return Invoke-Check $step.fields }
      'iis' { return Invoke-Iis $step.fields }
    }
  } catch {
    $failure = $_.Exception
    while ($null -ne $failure.InnerException) { $failure = $failure.InnerException }
    if (Test-DiskFull $failure) { Set-Cause 'disk_full' $failure.Message }
    elseif ($failure -is [UnauthorizedAccessException]) { Set-Cause 'privilege' $failure.Message }
    else { Add-Line (ConvertTo-Line $failure.Message) }
    return 1
  }
}

# Removes the oldest of the finished runs beyond the last 20. Names of runs begin with their time.
function Remove-OldRuns {
  $runs = @([IO.Directory]::GetDirectories([IO.Path]::Combine($Ls.work, 'runs')) | Sort-Object)
  foreach ($each in @($runs | Select-Object -First ([Math]::Max(0, $runs.Count - 20)))) {
    if (($each -ne $Ls.dir) -and [IO.File]::Exists([IO.Path]::Combine($each, 'finish'))) { [IO.Directory]::Delete($each, $true) }
  }
}

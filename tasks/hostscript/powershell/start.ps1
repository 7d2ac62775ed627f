# Modes run and resume: has a runner started where the run stands as it should, and follows it.

function Invoke-Start([string]$expected) {
  Enter-Run
  Set-State
  if (($Ls.state -ne $expected) -or $Ls.word.StartsWith('orphans')) { Write-Begun }
  $before = "status $($Ls.state) $($Ls.size) $($Ls.word)"
  $answer = Start-Runner
  if ($answer -eq 'lost') {
    # Another driver's runner was quicker.
    Set-State
    Write-Begun
  }
  if ($answer -ne 'claimed') { Exit-Saying $(if ($answer.StartsWith('busy')) { 75 } else { 69 }) $answer }
  Set-State
  Write-Control $before
  Write-Log ($true)
  exit 0
}

# A pipe that the own user alone may open.
function New-RunnerPipe([string]$name) {
  $security = New-Object IO.Pipes.PipeSecurity
  $own = [Security.Principal.WindowsIdentity]::GetCurrent().User
  $security.AddAccessRule((New-Object IO.Pipes.PipeAccessRule $own, 'FullControl', 'Allow'))
  New-Object IO.Pipes.NamedPipeServerStream $name, 'InOut', 1, 'Byte', 'Asynchronous', 65536, 65536, $security
}

# Has the process made by WMI, which is no child of this shell and so outlives it; or as a child, where the fleet says so.
function New-RunnerProcess([string]$name) {
  $code = $Ls.data.pipe.Replace('NAME', $name)
  $encoded = [Convert]::ToBase64String([Text.Encoding]::Unicode.GetBytes($code))
  $options = "-NoProfile -NonInteractive -ExecutionPolicy Bypass -EncodedCommand $encoded"
  $program = [IO.Path]::Combine($PSHOME, 'powershell.exe')
  if (-not $Ls.data.detached) {
    $info = New-Object Diagnostics.ProcessStartInfo $program, $options
    $info.UseShellExecute = $false
    $info.CreateNoWindow = $true
    return ([Diagnostics.Process]::Start($info)).Id
  }
  try {
    $made = Invoke-CimMethod -ClassName Win32_Process -MethodName Create -Arguments @{
      CommandLine = "`"$program`" $options"
      CurrentDirectory = $env:USERPROFILE
    }
  } catch { Exit-Saying 69 "fail command WMI refused to make a process: $($_.Exception.Message)" }
  if ($made.ReturnValue -ne 0) { Exit-Saying 69 "fail command Win32_Process.Create answered $($made.ReturnValue)" }
  [int]$made.ProcessId
}

# Gives script and data to a new runner; its answer is claimed, lost, "busy RUN" or "fail CAUSE DETAIL".
function Start-Runner {
  $name = "longshore-$([Guid]::NewGuid().ToString('N'))"
  $pipe = New-RunnerPipe $name
  $number = New-RunnerProcess $name
  $process = Get-Process -Id $number -ErrorAction SilentlyContinue
  $start = if ($null -eq $process) { [long]0 } else { Get-StartOf $process }
  $connected = $pipe.BeginWaitForConnection($null, $null)
  if (-not $connected.AsyncWaitHandle.WaitOne(60000)) {
    # Nobody has the script, and now nobody can get it.
    $pipe.Dispose()
    [void](Stop-Tree $number $start 10)
    return 'fail command the process that carries out the steps did not begin within 60 s'
  }
  $pipe.EndWaitForConnection($connected)
  $variables = @(Get-ChildItem Env: | ForEach-Object { @{ name = $_.Name; value = $_.Value } })
  foreach ($each in @($Ls.text, $Ls.json, (ConvertTo-Json $variables -Compress))) {
    $bytes = $Ls.utf8.GetBytes($each)
    $pipe.Write([BitConverter]::GetBytes([int]$bytes.Length), 0, 4)
    $pipe.Write($bytes, 0, $bytes.Length)
  }
  $pipe.Flush()
  $said = (New-Object IO.StreamReader $pipe).ReadLineAsync()
  if ($said.Wait(60000) -and ($null -ne $said.Result)) { return $said.Result }
  # It has the script, and says nothing: whatever it has claimed, it is ended, and counts as killed.
  [void](Stop-Tree $number $start 10)
  Set-State
  if ($Ls.state -eq 'new') { return 'fail command the process that carries out the steps ended at once' }
  'lost'
}

# Mode verify: proves what a deployment needs of a host. One line per stage: longshore-verify STAGE ok|failed CAUSE DETAIL

function Write-Stage([string]$stage, [string]$verdict, [string]$cause, [string]$detail) {
  Write-Bytes $Ls.utf8.GetBytes("longshore-verify $stage $verdict $cause $(ConvertTo-Line $detail)`n")
}

function Invoke-Verify {
  if ($PSVersionTable.PSVersion -lt [Version]'5.1') {
    Write-Stage 'command' 'failed' 'tool_missing' "PowerShell is $($PSVersionTable.PSVersion), and 5.1 is needed"
    exit 0
  }
  Write-Stage 'command' 'ok' '-' "PowerShell $($PSVersionTable.PSVersion)"
  Set-Places
  $probe = [IO.Path]::Combine($Ls.work, ".verify.$PID")
  try {
    if (-not [IO.Directory]::Exists($Ls.work)) { New-PrivateFolder $Ls.work }
    [IO.File]::WriteAllBytes($probe, (New-Object byte[] 65536))
    [IO.File]::Delete($probe)
  } catch {
    $failure = $_.Exception
    while ($null -ne $failure.InnerException) { $failure = $failure.InnerException }
    $cause = if (Test-DiskFull $failure) { 'disk_full' } else { 'workdir' }
    Write-Stage 'workdir' 'failed' $cause $failure.Message
    exit 0
  }
  $drive = New-Object IO.DriveInfo ([IO.Path]::GetPathRoot($Ls.work))
  Write-Stage 'workdir' 'ok' '-' "$([Math]::Floor($drive.AvailableFreeSpace / 1048576)) MB free"
  if ($Ls.data.detached) { Test-Wmi }
  exit 0
}

# Whether WMI takes this login's requests, as it must for a host script that outlives the connection.
function Test-Wmi {
  try {
    [void](Get-CimClass -ClassName Win32_Process)
    [void](Get-CimInstance Win32_Process -Filter "ProcessId = $PID" -Property ProcessId)
    # Questions may be allowed where making processes is not.
    $made = Invoke-CimMethod -ClassName Win32_Process -MethodName Create -Arguments @{ CommandLine = "`"$env:ComSpec`" /d /c exit 0" }
    if ($made.ReturnValue -ne 0) { throw "Win32_Process.Create answered $($made.ReturnValue)" }
    Write-Stage 'privilege' 'ok' '-' ''
  } catch { Write-Stage 'privilege' 'failed' 'privilege' "WMI refuses this login: $($_.Exception.Message)" }
}

# What every mode begins with. $Ls holds what the units share; it is a table, so that changing it needs no scope.
Set-StrictMode -Version 2
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
$Ls = @{}

function Set-Shared([string]$text, [string]$json, $data) {
  $Ls.text = $text
  $Ls.json = $json
  $Ls.data = $data
  $Ls.output = $null
  $Ls.index = 0
  $Ls.utf8 = New-Object Text.UTF8Encoding $false
}

function Invoke-Mode([string]$text, [string]$json, $stream) {
  Set-Shared $text $json (ConvertFrom-Json $json)
  $Ls.input = $stream
  $Ls.output = [Console]::OpenStandardOutput()
  switch ($Ls.data.mode) {
    'run' { Invoke-Start 'new' }
    'resume' { Invoke-Start 'gone' }
    'attach' { Invoke-Attach }
    'probe' { Invoke-Probe }
    'stop' { Invoke-Stop }
    'put' { Invoke-Put }
    'verify' { Invoke-Verify }
  }
  exit 0
}

# One line of text, whatever was said.
function ConvertTo-Line([string]$text) { ($text -replace '[\r\n\t]+', ' ').Trim() }

function Write-Bytes([byte[]]$bytes) {
  $Ls.output.Write($bytes, 0, $bytes.Length)
  $Ls.output.Flush()
}

function Write-Control([string]$line) {
  Write-Bytes $Ls.utf8.GetBytes("`n$($Ls.data.marker) $(ConvertTo-Line $line)`n")
}

function Exit-Saying([int]$code, [string]$line) {
  Write-Control $line
  exit $code
}

# Windows says ERROR_DISK_FULL or ERROR_HANDLE_DISK_FULL in the low bits of the error's HResult.
function Test-DiskFull($failure) {
  while ($null -ne $failure.InnerException) { $failure = $failure.InnerException }
  $code = $failure.HResult -band 0xFFFF
  ($code -eq 112) -or ($code -eq 39)
}

function Exit-Unwritable($failure) {
  while ($null -ne $failure.InnerException) { $failure = $failure.InnerException }
  if (Test-DiskFull $failure) { Exit-Saying 69 "fail disk_full $($failure.Message)" }
  Exit-Saying 69 "fail workdir $($failure.Message)"
}

# Seconds since the machine started, as no clock can change them.
function Get-Uptime {
  $seconds = [Diagnostics.Stopwatch]::GetTimestamp() / [Diagnostics.Stopwatch]::Frequency
  $seconds.ToString('0.00', [Globalization.CultureInfo]::InvariantCulture)
}

function Set-Places {
  $work = $Ls.data.work
  if (-not [IO.Path]::IsPathRooted($work)) { $work = [IO.Path]::Combine($env:USERPROFILE, $work) }
  $Ls.work = $work
  $Ls.dir = [IO.Path]::Combine($work, "runs\$($Ls.data.run)")
}

function Get-RunFile([string]$name) { [IO.Path]::Combine($Ls.dir, $name) }

# A folder that its owner, the system and administrators alone may enter.
function New-PrivateFolder([string]$path) {
  $security = New-Object Security.AccessControl.DirectorySecurity
  $security.SetAccessRuleProtection($true, $false)
  $own = [Security.Principal.WindowsIdentity]::GetCurrent().User
  foreach ($sid in @($own.Value, 'S-1-5-18', 'S-1-5-32-544')) {
    $who = New-Object Security.Principal.SecurityIdentifier $sid
    $rule = New-Object Security.AccessControl.FileSystemAccessRule $who, 'FullControl', 'ContainerInherit, ObjectInherit', 'None', 'Allow'
    $security.AddAccessRule($rule)
  }
  [void][IO.Directory]::CreateDirectory($path, $security)
}

function Test-Owner([string]$path) {
  $own = [Security.Principal.WindowsIdentity]::GetCurrent().User.Value
  $owner = [IO.Directory]::GetAccessControl($path).GetOwner([Security.Principal.SecurityIdentifier]).Value
  @($own, 'S-1-5-18', 'S-1-5-32-544') -contains $owner
}

# Makes a file with this text at once, or not at all: false when it is there already.
function New-Claim([string]$path, [string]$text) {
  $part = "$path.$PID.part"
  [IO.File]::WriteAllText($part, $text)
  for ($try = 1; ; $try++) {
    try {
      [IO.File]::Move($part, $path)
      return $true
    } catch [IO.IOException] {
      if ([IO.File]::Exists($path)) { break }
      # A scanner that has the new file open lets go of it soon.
      if (($try -ge 20) -or (Test-DiskFull $_.Exception)) { throw }
    }
    Start-Sleep -Milliseconds 100
  }
  [IO.File]::Delete($part)
  $false
}

function Get-Numbers([string]$pattern) {
  $names = [IO.Directory]::GetFiles($Ls.dir, $pattern)
  @($names | Where-Object { $_ -match '\.[0-9]+$' } | ForEach-Object { [long]($_ -replace '^.*\.', '') })
}

# Into the run directory, as the one who holds this token: a larger one that is there already refuses it.
function Enter-Run {
  Set-Places
  $mine = @([long]$Ls.data.epoch, [long]$Ls.data.number)
  try {
    if (-not [IO.Directory]::Exists($Ls.dir)) { New-PrivateFolder $Ls.dir }
    if (-not (Test-Owner $Ls.dir)) { Exit-Saying 69 "fail workdir $($Ls.dir) belongs to another user" }
    [void](New-Claim (Get-RunFile "token.$($mine[0]).$($mine[1])") '')
  } catch { Exit-Unwritable $_.Exception }
  foreach ($path in [IO.Directory]::GetFiles($Ls.dir, 'token.*')) {
    if ($path -notmatch 'token\.([0-9]+)\.([0-9]+)$') { continue }
    $other = @([long]$Matches[1], [long]$Matches[2])
    if (($other[0] -gt $mine[0]) -or (($other[0] -eq $mine[0]) -and ($other[1] -gt $mine[1]))) {
      Exit-Saying 76 "refused $($other[0]) $($other[1])"
    }
  }
}

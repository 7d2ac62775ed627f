# Action check: something that must come true within a time.

function Invoke-Check($fields) {
  $watch = [Diagnostics.Stopwatch]::StartNew()
  while ($true) {
    $wrong = Get-Wrong $fields
    if ($wrong -eq '') { return 0 }
    if ($watch.Elapsed.TotalSeconds -ge [double]$fields.within) { break }
    Start-Sleep -Milliseconds ([int][Math]::Min([int]::MaxValue, [double]$fields.every * 1000))
  }
  Set-Cause 'check_failed' $wrong
  1
}

# What is wrong, in words; nothing when it holds.
function Get-Wrong($fields) {
  if ($null -ne $fields.http) { return Get-WrongAnswer (Join-Parts $fields.http) ([int]$fields.status) }
  if ($null -ne $fields.host) { return Get-WrongPort (Join-Parts $fields.host) ([int]$fields.port) }
  $exit = Invoke-Text $fields.shell $fields.command 'check'
  if ($exit -eq 0) { return '' }
  "exit code $exit"
}

function Get-WrongAnswer([string]$url, [int]$status) {
  Enable-Tls12
  $request = [Net.WebRequest]::Create($url)
  $request.Timeout = 10000
  if ($request -is [Net.HttpWebRequest]) { $request.AllowAutoRedirect = $false }
  try { $answer = $request.GetResponse() } catch {
    $failure = $_.Exception
    while (($null -ne $failure.InnerException) -and (-not ($failure -is [Net.WebException]))) { $failure = $failure.InnerException }
    if ((-not ($failure -is [Net.WebException])) -or ($null -eq $failure.Response)) { return $failure.Message }
    $answer = $failure.Response
  }
  $found = [int]$answer.StatusCode
  $answer.Dispose()
  if ($found -eq $status) { return '' }
  "answered with status $found, expected $status"
}

function Get-WrongPort([string]$name, [int]$port) {
  # By itself the client of .NET Framework tries IPv4 alone.
  if ([Net.Sockets.Socket]::OSSupportsIPv6) {
    $client = New-Object Net.Sockets.TcpClient ([Net.Sockets.AddressFamily]::InterNetworkV6)
    $client.Client.DualMode = $true
  } else { $client = New-Object Net.Sockets.TcpClient }
  try {
    if ($client.ConnectAsync($name, $port).Wait(5000)) { return '' }
    return "no connection to $name port ${port}: timed out"
  } catch {
    $failure = $_.Exception
    while ($null -ne $failure.InnerException) { $failure = $failure.InnerException }
    return "no connection to $name port ${port}: $($failure.Message)"
  } finally { $client.Close() }
}

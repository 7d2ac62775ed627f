# Action fetch: the host pulls a file by itself.

function Invoke-Fetch($fields) {
  $to = Resolve-Place (Join-Parts $fields.to)
  $sha256 = (Join-Parts $fields.sha256).ToLowerInvariant()
  if ([IO.File]::Exists($to) -and ((Get-Sha256 $to) -eq $sha256)) {
    Add-Line "$to is already there"
    return 0
  }
  $part = New-Beside $to
  Enable-Tls12
  try { Invoke-WebRequest -UseBasicParsing -Uri (Join-Parts $fields.url) -OutFile $part } catch {
    if ([IO.File]::Exists($part)) { [IO.File]::Delete($part) }
    $failure = $_.Exception
    if (-not ($failure -is [Net.WebException])) { throw }
    Set-Cause (Get-PullCause $failure) $failure.Message
    return 1
  }
  Move-IntoPlace $part $to $sha256
}

function Get-PullCause($failure) {
  switch ([string]$failure.Status) {
    'NameResolutionFailure' { return 'pull_dns' }
    'Timeout' { return 'pull_timeout' }
    'ConnectFailure' {
      $socket = $failure.InnerException
      if (($socket -is [Net.Sockets.SocketException]) -and ($socket.SocketErrorCode -ne 'ConnectionRefused')) { return 'pull_timeout' }
      return 'pull_refused'
    }
  }
  'pull_http'
}

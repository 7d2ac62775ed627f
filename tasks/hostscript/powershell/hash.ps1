# SHA-256 of a file, in lower case.
function Get-Sha256([string]$path) {
  $hash = [Security.Cryptography.SHA256]::Create()
  $file = New-Object IO.FileStream $path, 'Open', 'Read', 'ReadWrite, Delete'
  try { [BitConverter]::ToString($hash.ComputeHash($file)).Replace('-', '').ToLowerInvariant() }
  finally {
    $file.Dispose()
    $hash.Dispose()
  }
}

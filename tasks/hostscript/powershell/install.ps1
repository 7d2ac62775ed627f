# Action upload: puts what the worker has sent into its place.

function Invoke-Install($fields) {
  $to = Resolve-Place (Join-Parts $fields.to)
  foreach ($kind in @('file', 'zip')) {
    $source = Get-RunFile "uploads\$($Ls.index).$kind"
    if ([IO.File]::Exists($source) -and [IO.File]::Exists("$source.sum")) { return Install-Upload $fields $to $source $kind }
  }
  Set-Cause 'upload_source' 'nothing was uploaded for this step'
  1
}

function Install-Upload($fields, [string]$to, [string]$source, [string]$kind) {
  $found = [IO.File]::ReadAllText("$source.sum").Trim()
  if ($null -ne $fields.sha256) {
    $declared = (Join-Parts $fields.sha256).ToLowerInvariant()
    if ($declared -ne $found) {
      Set-Cause 'checksum' "${to}: expected $declared, got $found"
      return 1
    }
  }
  if ($kind -eq 'zip') { return Switch-Folder $to { param($folder) Expand-Zip $source $folder } }
  if ([IO.File]::Exists($to) -and ((Get-Sha256 $to) -eq $found)) { return 0 }
  $part = New-Beside $to
  [IO.File]::Copy($source, $part)
  Move-IntoPlace $part $to $found
}

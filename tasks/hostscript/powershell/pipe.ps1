# What the runner's command line carries: the same as bootstrap, over the named pipe NAME of the driver that made it.
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
$pipe = New-Object IO.Pipes.NamedPipeClientStream '.', 'NAME', 'InOut'
$pipe.Connect(30000)
$reader = New-Object IO.BinaryReader $pipe
$text = [Text.Encoding]::UTF8.GetString($reader.ReadBytes($reader.ReadInt32()))
$data = [Text.Encoding]::UTF8.GetString($reader.ReadBytes($reader.ReadInt32()))
$variables = [Text.Encoding]::UTF8.GetString($reader.ReadBytes($reader.ReadInt32()))
. ([ScriptBlock]::Create($text))
Invoke-Runner $text $data $variables $pipe

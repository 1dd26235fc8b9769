"""Where pictures come from, behind one interface: footage, V4L2, RTSP, picamera2."""

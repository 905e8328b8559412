// The texts of the camera and the editor, which load with them.

const en = {
  capture: "Take the photo",
  cancel: "Cancel",
  edit: "Edit the picture",
  cropStage: "Crop. Arrow keys move the frame, Shift with arrow keys resizes it, plus and minus zoom, R turns, F flips.",
  cropSize: (width: number, height: number) => `${width}\u00a0×\u00a0${height} pixels`,
  zoom: "Zoom",
  ratioLabel: "Ratio",
  freeRatio: "Free",
  rotateLeft: "Turn left",
  rotateRight: "Turn right",
  flip: "Flip",
  apply: "Apply",
};

export type DialogTexts = typeof en;

const ko: DialogTexts = {
  capture: "찍기",
  cancel: "취소",
  edit: "사진 편집",
  cropStage: "자르기. 화살표 키로 틀을 옮기고, Shift와 화살표 키로 크기를 바꾸고, 더하기와 빼기 키로 확대하거나 축소합니다. R은 돌리기, F는 뒤집기입니다.",
  cropSize: (width, height) => `${width}\u00a0×\u00a0${height}픽셀`,
  zoom: "확대",
  ratioLabel: "비율",
  freeRatio: "자유",
  rotateLeft: "왼쪽으로 돌리기",
  rotateRight: "오른쪽으로 돌리기",
  flip: "좌우 뒤집기",
  apply: "적용",
};

/** As `textsFor` does for the element. */
export function dialogTextsFor(language: string, own: Partial<DialogTexts> = {}): DialogTexts {
  return { ...(/^ko\b/i.test(language) ? ko : en), ...own };
}
